//! The tokens: those in force, and whether another may come.
//!
//! The core's thread decides, one change after the other, by what was decided before ([`Names`]); what it let through
//! comes into force once it is on disk ([`Tokens`]). So two who ask at the same time get two answers, and who breaks off
//! changes nothing in what the disk and the memory say alike.
//!
//! Invariant: a name has one token, and where an admin was, one stays.

use crate::api::service::{Change, Trouble};
use crate::core::query::{Role, TokenRecord};
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// The tokens in force, by their hashes.
#[derive(Default)]
pub(crate) struct Tokens(RwLock<BTreeMap<[u8; 32], TokenRecord>>);

impl Tokens {
    /// Holds what the store has.
    pub(crate) fn new(records: Vec<TokenRecord>) -> Tokens {
        Tokens(RwLock::new(records.into_iter().map(|token| (token.hash, token)).collect()))
    }

    /// Says whose token this is.
    pub(crate) fn find(&self, hash: &[u8; 32]) -> Option<(String, Role)> {
        self.read().get(hash).map(|token| (token.name.clone(), token.role))
    }

    /// Says whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// Puts one in force, in place of the one that has its name.
    pub(crate) fn put(&self, token: TokenRecord) {
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, other| other.name != token.name);
        tokens.insert(token.hash, token);
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<[u8; 32], TokenRecord>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every token's name and role, as decided, on disk or on the way there.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, Role>);

impl Names {
    /// Begins with what the store has.
    pub(crate) fn new(records: &[TokenRecord]) -> Names {
        Names(records.iter().map(|token| (token.name.clone(), token.role)).collect())
    }

    /// Lets a change through, or says why not.
    pub(crate) fn admit(&mut self, change: &Change) -> Result<(), Trouble> {
        let Change::Token { record, replace } = change else { return Ok(()) };
        let name = &record.name;
        let taken = self.0.get(name).copied();
        if taken.is_some() && !replace {
            return Err(Trouble::Refused(format!(
                "there is a token `{name}` already, and it would end; choose another name, or say that it is to be \
                 replaced: `\"replace\": true`, or `wasl token new --replace`"
            )));
        }
        let others = self.0.iter().filter(|(other, role)| *other != name && **role == Role::Admin).count();
        if taken == Some(Role::Admin) && record.role != Role::Admin && others == 0 {
            return Err(Trouble::Refused(format!(
                "`{name}` is the last token with the role admin, and nobody could make another; make a second admin first"
            )));
        }
        self.0.insert(name.clone(), record.role);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Timestamp;

    fn token(name: &str, role: Role, seed: u8) -> TokenRecord {
        TokenRecord { name: name.into(), role, hash: [seed; 32], made_at: Timestamp::default() }
    }

    #[test]
    fn a_name_is_taken_until_somebody_means_it_and_an_admin_stays() {
        let mut names = Names::new(&[token("root", Role::Admin, 1), token("desk", Role::Sender, 2)]);
        let mut check = |name: &str, role, replace, expected: Result<(), &str>| {
            let said = names.admit(&Change::Token { record: token(name, role, 9), replace });
            match (said, expected) {
                (Ok(()), Ok(())) => {}
                (Err(Trouble::Refused(why)), Err(part)) => assert!(why.contains(part), "{why}"),
                (said, expected) => panic!("{name}: {said:?}, not {expected:?}"),
            }
        };
        check("desk", Role::Sender, false, Err("--replace"));
        check("desk", Role::Viewer, true, Ok(()));
        check("root", Role::Sender, false, Err("--replace"));
        check("root", Role::Sender, true, Err("last token with the role admin"));
        check("root", Role::Admin, true, Ok(()));
        check("second", Role::Admin, false, Ok(()));
        // Not yet on disk, and decided all the same.
        check("second", Role::Viewer, false, Err("--replace"));
        check("root", Role::Sender, true, Ok(()));
        check("second", Role::Approver, true, Err("last token with the role admin"));
    }

    #[test]
    fn a_token_that_was_replaced_opens_nothing() {
        let tokens = Tokens::new(vec![token("desk", Role::Sender, 1)]);
        tokens.put(token("desk", Role::Viewer, 2));
        assert_eq!(
            (tokens.find(&[1; 32]), tokens.find(&[2; 32])),
            (None, Some(("desk".into(), Role::Viewer)))
        );
    }
}
