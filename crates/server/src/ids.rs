//! Ids for sessions: random, so that nobody knows another's before it is told.

use std::sync::{Mutex, PoisonError};

use hub::SessionId;

/// Ids that nobody has yet. The system gives many at the price of one.
#[derive(Debug, Default)]
pub(crate) struct Ids(Mutex<Vec<[u8; 16]>>);

impl Ids {
    /// One that is given once.
    pub(crate) fn take(&self) -> Result<SessionId, getrandom::Error> {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = ids.pop() {
            return Ok(SessionId::from_random(id));
        }
        let mut more = [[0; 16]; SUPPLY];
        getrandom::fill(more.as_flattened_mut())?;
        let [first, rest @ ..] = more;
        ids.extend_from_slice(&rest);
        Ok(SessionId::from_random(first))
    }
}

/// How many are fetched at once.
const SUPPLY: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nobody_gets_anothers_id() {
        let ids = Ids::default();
        let given: HashSet<_> = (0..3 * SUPPLY + 1)
            .map(|_| ids.take().expect("there is randomness").to_string())
            .collect();
        assert_eq!(given.len(), 3 * SUPPLY + 1);
    }
}
