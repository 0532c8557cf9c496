//! Which cases to run: of a suite, by id, or of a folder.

use std::path::Path;

use super::super::Failure;
use super::{SuiteName, suite_name};
use crate::check::read_folder;
use crate::conformance::{Case, cases};

/// A case of another name that is as near as this is offered.
const NEAR: f64 = 0.5;

/// All cases there are: those that come with adit, and those of the user.
pub(super) struct Catalogue {
    cases: Vec<Case>,
    /// So many at the end are the user's.
    own: usize,
}

impl Catalogue {
    pub fn read(folder: Option<&Path>) -> Result<Self, Failure> {
        let mut all = cases().to_vec();
        let Some(folder) = folder else { return Ok(Self { cases: all, own: 0 }) };
        let own = read_folder(folder).map_err(|error| Failure::Usage(error.into()))?;
        if let Some(case) = own.iter().find(|case| all.iter().any(|other| other.id == case.id)) {
            return Err(Failure::Usage(anyhow::anyhow!(
                "{}: case {} comes with adit already; give yours another id",
                folder.display(),
                case.id
            )));
        }
        let count = own.len();
        all.extend(own);
        Ok(Self { cases: all, own: count })
    }

    /// The case of that id.
    pub fn find(&self, id: &str) -> Result<&Case, Failure> {
        self.known(id).map_err(|text| Failure::Usage(anyhow::Error::msg(text)))
    }

    /// The case of that id, or what to write instead.
    pub fn known(&self, id: &str) -> Result<&Case, String> {
        if let Some(case) = self.cases.iter().find(|case| case.id.eq_ignore_ascii_case(id)) {
            return Ok(case);
        }
        let near = self.cases.iter().map(|case| {
            (strsim::normalized_levenshtein(&case.id, &id.to_ascii_uppercase()), case.id.as_str())
        });
        // The first of those equally near: `max_by` would take the last.
        let best = near.rev().max_by(|(a, _), (b, _)| a.total_cmp(b));
        Err(match best {
            Some((near, other)) if near >= NEAR => {
                format!("there is no case {id}; did you mean {other}? `adit check --list` has all")
            }
            _ => format!("there is no case {id}; `adit check --list` has all"),
        })
    }

    /// The cases that were asked for, and in words what was.
    pub fn choose(&self, suite: Option<SuiteName>, ids: &[String]) -> Result<(Vec<Case>, String), Failure> {
        if !ids.is_empty() {
            let mut chosen: Vec<Case> = Vec::new();
            for id in ids {
                let case = self.find(id)?;
                if !chosen.iter().any(|other| other.id == case.id) {
                    chosen.push(case.clone());
                }
            }
            let names: Vec<&str> = chosen.iter().map(|case| case.id.as_str()).collect();
            let names = names.join(" ");
            return Ok((chosen, names));
        }
        if suite.is_none() && self.own > 0 {
            let own = self.cases[self.cases.len() - self.own..].to_vec();
            return Ok((own, "cases of the user".to_owned()));
        }
        let suite = suite.unwrap_or(SuiteName::Quick).suite();
        let chosen: Vec<Case> =
            self.cases.iter().filter(|case| case.suites.contains(&suite)).cloned().collect();
        Ok((chosen, suite_name(suite).to_owned()))
    }

    /// The same for showing: all, where nothing was asked for.
    pub fn choose_or_all(&self, suite: Option<SuiteName>, ids: &[String]) -> Result<Vec<Case>, Failure> {
        if suite.is_none() && ids.is_empty() {
            return Ok(self.cases.clone());
        }
        Ok(self.choose(suite, ids)?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_or_guessed() {
        let catalogue = Catalogue::read(None).unwrap();
        assert_eq!(catalogue.known("h04").unwrap().id, "H04");
        for (id, part) in [
            ("H4", "did you mean H0"),
            ("H044", "did you mean H04?"),
            ("bitaxe", "there is no case bitaxe; `adit"),
        ] {
            let error = catalogue.known(id).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn suites_and_ids_choose() {
        let catalogue = Catalogue::read(None).unwrap();
        let ids = |suite, ids: &[&str]| {
            let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
            let (cases, selection) = catalogue.choose(suite, &ids).unwrap_or_else(|_| panic!("{ids:?}"));
            (cases.len(), selection)
        };
        assert_eq!(ids(None, &["X01", "H04", "x01"]), (2, "X01 H04".to_owned()));
        let (quick, name) = ids(None, &[]);
        assert!(quick > 5 && name == "quick", "{quick}");
        assert!(ids(Some(SuiteName::Full), &[]).0 > quick);
        let all = catalogue.choose_or_all(None, &[]).unwrap_or_default();
        assert_eq!(all.len(), cases().len());
    }
}
