//! Values as text, of whatever type the server takes them to be.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use postgres::types::{Format, IsNull, ToSql, Type};

/// A text, or null, for a parameter of any type: the server reads it by the type's own rules and
/// refuses what does not fit, where a cast would cut it short in silence.
#[derive(Debug, Clone)]
pub(super) struct Param<'a>(pub(super) Option<Cow<'a, str>>);

impl<'a> Param<'a> {
    /// A text.
    pub(super) fn text(text: &'a str) -> Param<'a> {
        Param(Some(Cow::Borrowed(text)))
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(ty, out)
    }
}

/// Parameters as the client takes them.
pub(super) fn refs<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|p| p as &(dyn ToSql + Sync)).collect()
}
