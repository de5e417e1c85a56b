//! From the claims of a token whose signature is right to an identity.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::str::FromStr;

use hub::Identity;
use protocol::{Permissions, RowId};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{LEEWAY, TokenError, Verified};

/// How the claims are called that an identity is made from.
#[derive(Clone, Debug)]
pub struct ClaimNames {
    table: Table,
    row_id: String,
    extras: String,
}

/// Why a text does not say how claims are called.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClaimNamesError {
    /// A part has another form.
    #[error("`{0}` is not of the form NAME=CLAIM")]
    Syntax(String),
    /// There is no such name.
    #[error("`{0}` is none of dbo_id, row_id and extras")]
    Name(String),
    /// The table is no number.
    #[error("`{0}` is no table id; it is a whole number of at least 1")]
    Table(String),
}

/// What a token's issuer adds about a person: a JSON object of at most 4 KiB.
#[derive(Clone, Debug)]
pub struct Extras(Box<RawValue>);

/// Why a text cannot be extras.
#[derive(Debug, thiserror::Error)]
pub enum ExtrasError {
    /// It is no JSON object; the source says where.
    #[error("not a JSON object, such as {{\"name\":\"Thor\"}}: {0}")]
    NoObject(#[from] serde_json::Error),
    /// It is too long.
    #[error("longer than {MAX_EXTRAS} bytes")]
    TooLong,
}

/// Why a text cannot be a record's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RowIdError {
    /// It is empty or 0, which stand for nobody.
    #[error("an empty id and 0 stand for nobody")]
    Nobody,
    /// It is too long.
    #[error("longer than {MAX_ROW_ID} bytes")]
    TooLong,
}

/// All claims of a token, not looked at yet.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Claims(BTreeMap<String, Box<RawValue>>);

#[derive(Clone, Debug)]
enum Table {
    Claim(String),
    /// The issuer knows no tables: all its people are in this one.
    Always(NonZeroU64),
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            table: Table::Claim("dbo_id".to_owned()),
            row_id: "row_id".to_owned(),
            extras: "extras".to_owned(),
        }
    }
}

impl FromStr for ClaimNames {
    type Err = ClaimNamesError;

    /// Reads `dbo_id=CLAIM,row_id=CLAIM,extras=CLAIM`, or parts of it; `dbo_id:=NUMBER` is a table
    /// for all.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut names = Self::default();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                None | Some((_, "")) => return Err(ClaimNamesError::Syntax(part.to_owned())),
                Some(("dbo_id", claim)) => names.table = Table::Claim(claim.to_owned()),
                Some(("dbo_id:", number)) => {
                    let number = number.parse();
                    names.table =
                        Table::Always(number.map_err(|_| ClaimNamesError::Table(part.to_owned()))?);
                }
                Some(("row_id", claim)) => names.row_id = claim.to_owned(),
                Some(("extras", claim)) => names.extras = claim.to_owned(),
                Some((name, _)) => return Err(ClaimNamesError::Name(name.to_owned())),
            }
        }
        Ok(names)
    }
}

impl Extras {
    /// The extras as they go into frames.
    pub fn as_raw(&self) -> &RawValue {
        &self.0
    }
}

impl Default for Extras {
    fn default() -> Self {
        Self(RawValue::from_string("{}".to_owned()).expect("an empty object is JSON"))
    }
}

impl FromStr for Extras {
    type Err = ExtrasError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_EXTRAS {
            return Err(ExtrasError::TooLong);
        }
        serde_json::from_str::<BTreeMap<String, IgnoredAny>>(text)?;
        Ok(Self(serde_json::from_str(text)?))
    }
}

impl Claims {
    /// What the claims say, all of them looked at.
    pub(super) fn verified(&self, names: &ClaimNames) -> Result<Verified, TokenError> {
        Ok(Verified { identity: self.identity(names)?, valid_until: self.valid_until() })
    }

    /// The end of the time in which the token is accepted, in milliseconds since 1970.
    fn valid_until(&self) -> Option<u64> {
        let seconds: f64 = self.text("exp")?.parse().ok()?;
        Some((seconds.round() as u64).saturating_add(LEEWAY).saturating_mul(1_000))
    }

    /// Whom the claims name.
    fn identity(&self, names: &ClaimNames) -> Result<Identity, TokenError> {
        let dbo_id = match &names.table {
            Table::Always(id) => *id,
            Table::Claim(name) => self
                .text(name)
                .and_then(|text| text.parse().ok())
                .ok_or(TokenError::Claim("dbo_id"))?,
        };
        let row_id = self
            .text(&names.row_id)
            .and_then(|text| match text.starts_with('"') {
                true => parse_row_id(&serde_json::from_str::<String>(text).ok()?).ok(),
                false => text.parse::<u64>().ok().filter(|number| *number > 0).map(RowId::Number),
            })
            .ok_or(TokenError::Claim("row_id"))?;
        let extras = match self.text(&names.extras) {
            None => Extras::default(),
            Some(text) => text.parse().map_err(|_| TokenError::Claim("extras"))?,
        };
        let permissions = Permissions { dbo_id: dbo_id.get(), row_id };
        Ok(Identity::Authenticated { permissions, extras: extras.0 })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get())
    }
}

/// Reads a record's id from text: a number where it is an integer that JavaScript can count to, else
/// text.
pub fn parse_row_id(text: &str) -> Result<RowId, RowIdError> {
    let number = text.parse::<u64>().ok();
    match number.filter(|number| *number <= MAX_SAFE_INTEGER && number.to_string() == text) {
        Some(0) => Err(RowIdError::Nobody),
        Some(number) => Ok(RowId::Number(number)),
        None if text.is_empty() => Err(RowIdError::Nobody),
        None if text.len() > MAX_ROW_ID => Err(RowIdError::TooLong),
        None => Ok(RowId::Text(text.to_owned())),
    }
}

/// The most extras may take, in bytes.
const MAX_EXTRAS: usize = 4 << 10;
/// The most a record's id may take, in bytes.
const MAX_ROW_ID: usize = 255;
/// The largest number up to which JavaScript tells each from its neighbours.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
