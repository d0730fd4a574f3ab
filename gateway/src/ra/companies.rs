//! The companies that the configuration has rules for: the mail domains of their people, and the form of their names. With a form of its own for
//! each company, no two people of two companies have the same subject.

use std::collections::HashSet;

use serde::Deserialize;

/// The rules of a company.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Company {
    /// Its name, as its User Access Administrators have it.
    pub name: String,
    /// The domains of its people's e-mail addresses; any if there is none.
    #[serde(default)]
    pub mail_domains: Vec<String>,
    /// The form of its people's Common Names, with a `*` for what they choose, as in `* (EPL)`; any if absent.
    pub common_names: Option<String>,
}

impl Company {
    /// The fault of an e-mail address, in a sentence, if its domain is none of the company's.
    pub fn fault_of_address(&self, address: &str) -> Option<String> {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let is_own = self.mail_domains.iter().any(|own| own.eq_ignore_ascii_case(domain));
        (!self.mail_domains.is_empty() && !is_own)
            .then(|| format!("People of {} have e-mail addresses at {}.", self.name, self.mail_domains.join(" or ")))
    }

    /// The fault of a Common Name, in a sentence, if it has not the company's form.
    pub fn fault_of_name(&self, common_name: &str) -> Option<String> {
        let form = self.common_names.as_deref()?;
        let (before, after) = form.split_once('*')?;
        let chosen = common_name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let has_form = chosen.is_some_and(|chosen| !chosen.trim().is_empty());
        (!has_form).then(|| format!("Common Names of people of {} have the form “{form}”.", self.name))
    }
}

/// The faults of the companies in a configuration, each with the key that it is in.
pub(crate) fn faults(companies: &[Company]) -> Vec<(String, &'static str)> {
    let mut names = HashSet::new();
    let mut faults = Vec::new();
    for company in companies {
        let key = format!("companies “{}”", company.name);
        if company.name.trim().is_empty() {
            faults.push((key.clone(), "a company has a name"));
        }
        if !names.insert(&company.name) {
            faults.push((key.clone(), "there is more than one company with this name"));
        }
        let is_domain = |domain: &String| !domain.is_empty() && !domain.contains('@') && domain.is_ascii();
        if !company.mail_domains.iter().all(is_domain) {
            let fault = "write domains as in “example.com”, in ASCII and without the @";
            faults.push((format!("{key}, mail_domains"), fault));
        }
        if company.common_names.as_ref().is_some_and(|form| form.matches('*').count() != 1) {
            faults.push((format!("{key}, common_names"), "write one * for what people choose, as in “* (EPL)”"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company() -> Company {
        let mail_domains = vec!["example.com".into(), "power.example".into()];
        Company { name: "Example Power & Light".into(), mail_domains, common_names: Some("* (EPL)".into()) }
    }

    #[test]
    fn addresses_are_of_the_company_s_domains() {
        for address in ["ada@example.com", "Ada@EXAMPLE.com", "ada@power.example"] {
            assert_eq!(company().fault_of_address(address), None, "{address}");
        }
        for address in
            ["ada@example.org", "ada@mail.example.com", "ada@notexample.com", "ada", "\"ada@example.com\"@example.org"]
        {
            assert!(
                company().fault_of_address(address).is_some_and(|fault| fault.contains("power.example")),
                "{address}"
            );
        }
        assert_eq!(Company { mail_domains: Vec::new(), ..company() }.fault_of_address("ada@example.org"), None);
    }

    #[test]
    fn names_have_the_company_s_form() {
        assert_eq!(company().fault_of_name("Ada Example (EPL)"), None);
        for name in ["Ada Example", " (EPL)", "(EPL) Ada", "Ada (epl)"] {
            assert!(company().fault_of_name(name).is_some_and(|fault| fault.contains("* (EPL)")), "{name}");
        }
        assert_eq!(Company { common_names: None, ..company() }.fault_of_name("Ada"), None);
    }

    #[test]
    fn what_is_wrong_in_the_configuration_is_named() {
        assert!(faults(&[company()]).is_empty());
        let wrong =
            Company { name: " ".into(), mail_domains: vec!["@example.com".into()], common_names: Some("**".into()) };
        let found: Vec<String> = faults(&[company(), company(), wrong]).into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            found,
            [
                "companies “Example Power & Light”",
                "companies “ ”",
                "companies “ ”, mail_domains",
                "companies “ ”, common_names"
            ]
        );
    }
}
