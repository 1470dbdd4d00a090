//! What one call is: the shape of a line of the [table](super::routes).

use super::App;
use super::access::Access;
use super::call::{Answer, Call};
use super::problem::Kind;
use axum::routing::MethodFilter;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// One call.
#[derive(Clone, Copy)]
pub struct Route {
    /// The method.
    pub verb: Verb,
    /// The path, its parts that vary in braces.
    pub path: &'static str,
    /// Who may make it.
    pub access: Access,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Its name in the description.
    pub(crate) id: &'static str,
    /// The parameters in path, query and head, by their names in the description.
    pub(crate) params: &'static [&'static str],
    /// What its body is.
    pub(crate) takes: Takes,
    /// What it answers when all is well.
    pub(crate) gives: Gives,
    /// The problems that it may answer with, beside those that every call may.
    pub(crate) problems: &'static [Kind],
    /// What carries it out.
    pub(crate) run: Run,
}

/// A method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Reads; HEAD goes with it.
    Get,
    /// Changes.
    Post,
}

/// What a call's body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Takes {
    /// Nothing.
    Nothing,
    /// JSON of this schema.
    Json(&'static str),
    /// A form.
    Form(&'static [&'static str]),
    /// XML of this media type, or as `application/xml`.
    Xml(&'static str),
    /// A provider's bytes.
    Raw,
}

/// What a call answers when all is well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gives {
    /// JSON of this schema, with this status.
    Json(u16, &'static str),
    /// JSON, one or the other.
    Either([(u16, &'static str); 2]),
    /// Text of this media type.
    Text(&'static str),
    /// Bytes of this media type.
    Bytes(&'static str),
    /// Another place to go.
    Elsewhere,
    /// A page that asks for the next step, or once that is done, another place to go.
    Step,
}

/// What carries a call out.
pub(crate) type Run = fn(Arc<App>, Call) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

impl Verb {
    /// Returns the method's name.
    pub const fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
        }
    }

    pub(crate) const fn filter(self) -> MethodFilter {
        match self {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
        }
    }
}
