//! Passwords: hashed by argon2id, a few at a time, and told from wrong ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use argon2::password_hash::Error as HashError;
use argon2::password_hash::phc::{self, Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Hashes passwords; its clones count as one.
///
/// Each hash takes [`MEMORY`] KiB, so no more are computed at once than there are permits, and the memory
/// is used again. Whoever waits for a permit longer than [`PATIENCE`] is sent away.
#[derive(Clone)]
pub(super) struct Passwords {
    permits: Arc<Semaphore>,
    patience: Duration,
    work: Arc<Work>,
}

/// Whether a password is the right one.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Wrong,
    Right,
    /// It is right, but its hash was computed with other parameters than these times ask for; the
    /// one to be stored in its place.
    Outdated(String),
}

/// Why there is no answer about a password.
#[derive(Debug, thiserror::Error)]
pub(super) enum PasswordError {
    #[error("too many passwords are being checked")]
    Busy,
    #[error("the operating system gives no random bytes")]
    Randomness(#[source] getrandom::Error),
    #[error("a password could not be hashed")]
    Hash(#[from] HashError),
    #[error("a stored hash is damaged")]
    Damaged(#[source] phc::Error),
    #[error("a hash's computation ended in a panic")]
    Panic,
}

/// What is done outside the runtime.
struct Work {
    params: Params,
    /// The hash that is compared with where nobody has signed up: of no password, but as much work.
    nobodys: PasswordHash,
    /// Memory that is not in use. Given back to the allocator it would stay with the thread that had
    /// it, and there can be hundreds of them.
    memory: Mutex<Vec<Vec<Block>>>,
    /// The parameters of every hash that was computed.
    #[cfg(test)]
    computed: Mutex<Vec<Params>>,
}

impl Passwords {
    /// Hashes half as many at once as there are processors, so that connections are served meanwhile,
    /// and at most [`MOST_AT_ONCE`].
    pub(super) fn new() -> Result<Self, PasswordError> {
        let params =
            Params::new(MEMORY, PASSES, 1, Some(OUTPUT_LENGTH)).map_err(HashError::from)?;
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self::with(params, (processors / 2).clamp(1, MOST_AT_ONCE), PATIENCE)
    }

    fn with(params: Params, at_once: usize, patience: Duration) -> Result<Self, PasswordError> {
        let work = Arc::new(Work::new(params)?);
        Ok(Self { permits: Arc::new(Semaphore::new(at_once)), patience, work })
    }

    /// A password's hash, as a PHC string.
    pub(super) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.run(move |work| work.hash(&password)).await
    }

    /// Whether `password` is the one that `stored` is the hash of. Where nobody has signed up, nothing
    /// is stored; to find that out takes as much work as a wrong password does.
    pub(super) async fn verify(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<Verdict, PasswordError> {
        self.run(move |work| work.verify(&password, stored.as_deref())).await
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Work) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = self.permit().await.ok_or(PasswordError::Busy)?;
        let work = Arc::clone(&self.work);
        let job = move || {
            // Kept to the end, also where nobody waits for the result any more.
            let _permit = permit;
            job(&work)
        };
        spawn_blocking(job).await.map_err(|_| PasswordError::Panic)?
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        timeout(self.patience, Arc::clone(&self.permits).acquire_owned()).await.ok()?.ok()
    }
}

impl Work {
    fn new(params: Params) -> Result<Self, PasswordError> {
        let mut output = [0; OUTPUT_LENGTH];
        getrandom::fill(&mut output).map_err(PasswordError::Randomness)?;
        let nobodys = to_phc(&params, &random_salt()?, &output)?;
        Ok(Self {
            params,
            nobodys,
            memory: Mutex::default(),
            #[cfg(test)]
            computed: Mutex::default(),
        })
    }

    fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let salt = random_salt()?;
        let output = self.compute(password, &salt, &self.params)?;
        Ok(to_phc(&self.params, &salt, &output)?.to_string())
    }

    fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verdict, PasswordError> {
        let parsed = stored.map(PasswordHash::new).transpose().map_err(PasswordError::Damaged)?;
        let expected = parsed.as_ref().unwrap_or(&self.nobodys);
        let params = Params::try_from(expected)?;
        let salt = expected.salt.as_deref().unwrap_or_default();
        let output = self.compute(password, salt, &params)?;
        // Outputs are compared in constant time.
        let is_right = Output::new(&output).is_ok_and(|output| expected.hash == Some(output));
        if !is_right || stored.is_none() {
            return Ok(Verdict::Wrong);
        }
        match expected.params == self.nobodys.params {
            true => Ok(Verdict::Right),
            false => self.hash(password).map(Verdict::Outdated),
        }
    }

    /// The one place where the work is done.
    fn compute(
        &self,
        password: &str,
        salt: &[u8],
        params: &Params,
    ) -> Result<[u8; OUTPUT_LENGTH], PasswordError> {
        #[cfg(test)]
        self.computed.lock().unwrap_or_else(PoisonError::into_inner).push(params.clone());
        let mut output = [0; OUTPUT_LENGTH];
        let mut memory = self.memory().pop().unwrap_or_default();
        if memory.len() < params.block_count() {
            memory.resize(params.block_count(), Block::default());
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let password = password.as_bytes();
        let hashed =
            argon2.hash_password_into_with_memory(password, salt, &mut output, &mut memory);
        self.memory().push(memory);
        hashed.map_err(HashError::from)?;
        Ok(output)
    }

    fn memory(&self) -> MutexGuard<'_, Vec<Vec<Block>>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hash as it is stored.
fn to_phc(params: &Params, salt: &[u8], output: &[u8]) -> Result<PasswordHash, HashError> {
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: params.try_into()?,
        salt: Some(Salt::new(salt)?),
        hash: Some(Output::new(output)?),
    })
}

fn random_salt() -> Result<[u8; SALT_LENGTH], PasswordError> {
    let mut salt = [0; SALT_LENGTH];
    getrandom::fill(&mut salt).map_err(PasswordError::Randomness)?;
    Ok(salt)
}

/// How much memory a hash takes, in KiB, and how often it is gone over: what OWASP asks for.
const MEMORY: u32 = 19 << 10;
const PASSES: u32 = 2;
const OUTPUT_LENGTH: usize = 32;
const SALT_LENGTH: usize = 16;
/// The most hashes that are computed at once: 76 MiB.
const MOST_AT_ONCE: usize = 4;
/// How long a password may wait for its turn.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
impl Passwords {
    /// With parameters of these costs, for tests.
    pub(super) fn costing(memory: u32, passes: u32) -> Self {
        let params = Params::new(memory, passes, 1, Some(OUTPUT_LENGTH)).expect("they are legal");
        Self::with(params, 2, PATIENCE).expect("there is randomness")
    }

    /// With nobody to do the work, for tests.
    pub(super) fn overworked() -> Self {
        let Self { work, .. } = Self::costing(64, 1);
        Self { permits: Arc::new(Semaphore::new(0)), patience: Duration::from_millis(1), work }
    }

    /// The memory and the passes of each hash that was computed since this was last asked.
    pub(super) fn computed(&self) -> Vec<(u32, u32)> {
        let mut computed = self.work.computed.lock().unwrap_or_else(PoisonError::into_inner);
        computed.drain(..).map(|params| (params.m_cost(), params.t_cost())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(password: &str) -> String {
        password.to_owned()
    }

    #[tokio::test]
    async fn the_right_password_is_told_from_all_others() {
        let passwords = Passwords::costing(64, 1);
        let hash = passwords.hash(text("correct horse")).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert_ne!(passwords.hash(text("correct horse")).await.expect("hashed"), hash);
        for (password, verdict) in [
            ("correct horse", Verdict::Right),
            ("correct horsf", Verdict::Wrong),
            ("Correct horse", Verdict::Wrong),
            ("", Verdict::Wrong),
        ] {
            let found = passwords.verify(text(password), Some(hash.clone())).await;
            assert_eq!(found.expect("verified"), verdict, "{password}");
        }
    }

    #[tokio::test]
    async fn nobody_has_a_password_but_to_say_so_is_as_much_work() {
        let passwords = Passwords::costing(64, 3);
        let hash = passwords.hash(text("correct horse")).await.expect("hashed");
        passwords.computed();
        for stored in [Some(hash), None] {
            let verdict = passwords.verify(text("wrong"), stored).await.expect("verified");
            assert_eq!(verdict, Verdict::Wrong);
            assert_eq!(passwords.computed(), [(64, 3)]);
        }
    }

    #[tokio::test]
    async fn a_hash_of_other_parameters_is_verified_and_then_outdated() {
        let old = Passwords::costing(32, 1).hash(text("correct horse")).await.expect("hashed");
        let passwords = Passwords::costing(64, 2);
        let wrong = passwords.verify(text("wrong"), Some(old.clone())).await.expect("verified");
        assert_eq!(wrong, Verdict::Wrong);
        assert_eq!(passwords.computed(), [(32, 1)]);
        let verdict = passwords.verify(text("correct horse"), Some(old)).await.expect("verified");
        let Verdict::Outdated(new) = verdict else { panic!("it is outdated: {verdict:?}") };
        assert_eq!(passwords.computed(), [(32, 1), (64, 2)]);
        let verdict = passwords.verify(text("correct horse"), Some(new)).await.expect("verified");
        assert_eq!(verdict, Verdict::Right);
    }

    #[tokio::test]
    async fn what_is_stored_and_no_hash_lets_nobody_in() {
        let passwords = Passwords::costing(64, 1);
        for damaged in
            ["", "hello", "$argon2id$v=19$m=64,t=1,p=1", "$scrypt$ln=1,r=1,p=1$AAAA$AAAA"]
        {
            let verdict = passwords.verify(text("correct horse"), Some(text(damaged))).await;
            assert!(!matches!(verdict, Ok(Verdict::Right | Verdict::Outdated(_))), "{damaged}");
        }
    }

    #[tokio::test]
    async fn who_waits_too_long_for_a_turn_is_sent_away() {
        let params = Params::new(64, 1, 1, Some(OUTPUT_LENGTH)).expect("they are legal");
        let passwords = Passwords::with(params, 1, Duration::from_millis(1)).expect("ready");
        let turn = passwords.permit().await.expect("it is free");
        let refused = passwords.hash(text("correct horse")).await;
        assert!(matches!(refused, Err(PasswordError::Busy)));
        assert_eq!(passwords.computed(), []);
        drop(turn);
        assert!(passwords.hash(text("correct horse")).await.is_ok());
    }

    #[test]
    fn the_parameters_are_those_that_owasp_asks_for() {
        let passwords = Passwords::new().expect("there is randomness");
        let params = &passwords.work.params;
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (19_456, 2, 1));
        assert!((1..=4).contains(&passwords.permits.available_permits()));
    }
}
