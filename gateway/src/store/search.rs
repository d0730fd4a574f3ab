//! Searching a table page by page. A page begins behind the last row of the one before (a keyset), so that the thousandth page costs
//! what the first does, and what comes in between moves nothing.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow};

use crate::database::Database;

/// The greatest character: behind everything that begins with a text stand only texts that are greater than it with this one.
const LAST: char = '\u{10ffff}';

/// What a condition compares with.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Number(i64),
}

/// A query over one table that is put together from conditions.
#[derive(Clone, Debug)]
pub(super) struct Search {
    select: &'static str,
    conditions: Vec<String>,
    order: &'static str,
    values: Vec<Value>,
}

impl Search {
    /// Begins with `select`, the query up to its FROM, and ends with `order`, the columns after ORDER BY.
    pub(super) fn new(select: &'static str, order: &'static str) -> Self {
        Self { select, conditions: Vec::new(), order, values: Vec::new() }
    }

    fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    /// The column has this value, if one is given.
    pub(super) fn equals(&mut self, column: &str, text: Option<&str>) {
        if let Some(text) = text {
            let place = self.value(Value::Text(text.into()));
            self.conditions.push(format!("{column} = {place}"));
        }
    }

    /// The column, which is compared byte by byte, begins with this.
    pub(super) fn begins_with(&mut self, column: &str, prefix: &str) {
        let (from, to) = (self.value(Value::Text(prefix.into())), self.value(Value::Text(format!("{prefix}{LAST}"))));
        self.conditions.push(format!("{column} >= {from} AND {column} < {to}"));
    }

    /// The column's number is greater than this.
    pub(super) fn greater(&mut self, column: &str, number: i64) {
        let place = self.value(Value::Number(number));
        self.conditions.push(format!("{column} > {place}"));
    }

    /// The column's number is at most this.
    pub(super) fn at_most(&mut self, column: &str, number: i64) {
        let place = self.value(Value::Number(number));
        self.conditions.push(format!("{column} <= {place}"));
    }

    /// A condition without values.
    pub(super) fn holds(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    /// The row stands behind the one with this number and id, in ascending order.
    pub(super) fn after_number(&mut self, columns: &str, (number, id): (i64, &str)) {
        let (number, id) = (self.value(Value::Number(number)), self.value(Value::Text(id.into())));
        self.conditions.push(format!("({columns}) > ({number}, {id})"));
    }

    /// The row stands behind the one with this text and id, in ascending order.
    pub(super) fn after_text(&mut self, columns: &str, (text, id): (&str, &str)) {
        let (text, id) = (self.value(Value::Text(text.into())), self.value(Value::Text(id.into())));
        self.conditions.push(format!("({columns}) > ({text}, {id})"));
    }

    /// The row stands behind the one with this time and id, in descending order.
    pub(super) fn after_time(&mut self, columns: &str, (time, id): (i64, &str)) {
        let (time, id) = (self.value(Value::Number(time)), self.value(Value::Text(id.into())));
        self.conditions.push(format!("({columns}) < ({time}, {id})"));
    }

    /// The query, for at most `count` rows.
    pub(super) fn sql(&self, count: usize) -> String {
        let conditions = match self.conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", self.conditions.join(" AND ")),
        };
        format!("{}{conditions} ORDER BY {} LIMIT {count}", self.select, self.order)
    }

    /// At most `count` rows. What was typed is bound as a value, and never part of the query's text.
    pub(super) async fn rows<T>(&self, database: &Database, count: usize) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let mut query = sqlx::query_as(AssertSqlSafe(self.sql(count)));
        for value in &self.values {
            query = match value {
                Value::Text(text) => query.bind(text.clone()),
                Value::Number(number) => query.bind(*number),
            };
        }
        query.fetch_all(database.reader()).await
    }

    /// The steps that SQLite would take.
    #[cfg(test)]
    pub(super) async fn plan(&self, database: &Database) -> Vec<String> {
        plan(database, &self.sql(50)).await
    }
}

/// The steps that SQLite would take, whatever the values are.
#[cfg(test)]
pub(super) async fn plan(database: &Database, sql: &str) -> Vec<String> {
    let explained = sqlx::query_as::<_, (i64, i64, i64, String)>(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
    explained.fetch_all(database.reader()).await.unwrap_or_default().into_iter().map(|(.., step)| step).collect()
}

/// Fails unless SQLite uses the index that is given with each statement.
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop where it fails")]
pub(super) async fn assert_steps(statements: &[(&str, &str)]) {
    let directory = tempfile::tempdir().unwrap();
    let location = crate::database::Location::Sqlite(directory.path().join("keyside.sqlite"));
    let database = Database::open_or_create(&location).await.unwrap();
    for (sql, step) in statements {
        let plan = plan(&database, sql).await;
        assert!(plan.iter().any(|found| found.ends_with(step)), "{step}: {plan:?}");
    }
    database.close().await;
}
