//! Builds again when a migration changes: `sqlx::migrate!` embeds the folder, which cargo does not see.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
