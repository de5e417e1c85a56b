//! The people who have signed up.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::{Store, StoreError};

/// Somebody who has signed up, as they see themselves.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct User {
    /// The record in table 1.
    pub id: u64,
    /// When they signed up, in milliseconds since 1970.
    pub created_at: u64,
    /// What others call them.
    pub name: String,
    /// Their e-mail address as they wrote it.
    pub email: String,
}

/// Somebody who signs up.
#[derive(Clone)]
pub(crate) struct NewUser {
    pub(crate) created_at: u64,
    pub(crate) name: String,
    pub(crate) email: String,
    /// The same for all ways to write the address; no two users have the same one.
    pub(crate) email_key: String,
    /// As a PHC string.
    pub(crate) password_hash: String,
}

impl Store {
    /// Adds a user; `None` if the e-mail address is taken.
    pub(crate) fn add_user(&self, user: &NewUser) -> Result<Option<u64>, StoreError> {
        let connection = self.connection();
        let added = connection.execute(
            "INSERT INTO user (created_at, name, email, email_key, password_hash)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (email_key) DO NOTHING",
            params![user.created_at, user.name, user.email, user.email_key, user.password_hash],
        )?;
        Ok((added > 0).then(|| connection.last_insert_rowid().unsigned_abs()))
    }

    /// The user with this id.
    pub(crate) fn user(&self, id: u64) -> Result<Option<User>, StoreError> {
        let ask = "SELECT id, created_at, name, email FROM user WHERE id = ?1";
        Ok(self.connection().query_row(ask, [id], user).optional()?)
    }

    /// The user with this key of an e-mail address, and the hash of their password.
    pub(crate) fn user_of_email(
        &self,
        email_key: &str,
    ) -> Result<Option<(User, String)>, StoreError> {
        let ask =
            "SELECT id, created_at, name, email, password_hash FROM user WHERE email_key = ?1";
        let row = |row: &Row<'_>| Ok((user(row)?, row.get("password_hash")?));
        Ok(self.connection().query_row(ask, [email_key], row).optional()?)
    }

    /// Replaces the hash of a user's password, if it still is `old`.
    pub(crate) fn change_password_hash(
        &self,
        id: u64,
        old: &str,
        new: &str,
    ) -> Result<(), StoreError> {
        let change = "UPDATE user SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2";
        self.connection().execute(change, params![id, old, new])?;
        Ok(())
    }
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get("id")?,
        created_at: row.get("created_at")?,
        name: row.get("name")?,
        email: row.get("email")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_user(name: &str, email_key: &str) -> NewUser {
        NewUser {
            created_at: 1_700_000_000_000,
            name: name.to_owned(),
            email: email_key.to_uppercase(),
            email_key: email_key.to_owned(),
            password_hash: "$first".to_owned(),
        }
    }

    #[test]
    fn who_has_signed_up_is_found_by_id_and_by_address() {
        let store = Store::in_memory();
        let id = store.add_user(&new_user("Thor", "thor@asgard.example")).expect("added");
        assert_eq!(id, Some(1));
        let thor = User {
            id: 1,
            created_at: 1_700_000_000_000,
            name: "Thor".to_owned(),
            email: "THOR@ASGARD.EXAMPLE".to_owned(),
        };
        assert_eq!(store.user(1).expect("read"), Some(thor.clone()));
        let found = store.user_of_email("thor@asgard.example").expect("read");
        assert_eq!(found, Some((thor, "$first".to_owned())));
        assert_eq!(store.user(2).expect("read"), None);
        assert_eq!(store.user_of_email("loki@asgard.example").expect("read"), None);
    }

    #[test]
    fn an_address_is_taken_once() {
        let store = Store::in_memory();
        assert_eq!(store.add_user(&new_user("Thor", "a@b")).expect("added"), Some(1));
        assert_eq!(store.add_user(&new_user("Loki", "a@b")).expect("not added"), None);
        assert_eq!(store.user(1).expect("read").map(|user| user.name).as_deref(), Some("Thor"));
        assert!(store.add_user(&new_user("Loki", "c@d")).expect("added").is_some());
    }

    #[test]
    fn a_hash_is_replaced_by_whoever_knows_the_old_one() {
        let store = Store::in_memory();
        store.add_user(&new_user("Thor", "a@b")).expect("added");
        let hash = || store.user_of_email("a@b").expect("read").map(|(_, hash)| hash);
        store.change_password_hash(1, "$other", "$second").expect("nothing happens");
        assert_eq!(hash().as_deref(), Some("$first"));
        store.change_password_hash(1, "$first", "$second").expect("changed");
        assert_eq!(hash().as_deref(), Some("$second"));
    }
}
