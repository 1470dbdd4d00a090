//! What a message says, as it is given on the command line: texts by language, and a provider's template.

use super::Failure;
use serde::Serialize;

/// What may be given.
#[derive(clap::Args, Debug)]
pub(super) struct Words {
    /// The text; repeat it with --lang for each language
    #[arg(long)]
    text: Vec<String>,
    /// The language of each --text, in the same order; one text alone may go without, as `en`
    #[arg(long, value_name = "LANGUAGE")]
    lang: Vec<String>,
    /// The provider's template to use where free text is not allowed
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// The provider's code of the template's language, as `en_US`; the recipient's unless given
    #[arg(long, value_name = "CODE", requires = "template")]
    template_lang: Option<String>,
    /// A parameter of the template, as `area=East`; in the template's order
    #[arg(long, value_name = "NAME=VALUE", requires = "template")]
    param: Vec<String>,
}

/// A provider's template, as the service takes it.
#[derive(Serialize)]
pub(super) struct Template<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    params: Pairs,
}

/// Pairs in the order given, which a template's parameters need.
pub(super) struct Pairs(Vec<(String, String)>);

impl Serialize for Pairs {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Words {
    /// Returns the texts. One of them or a template there must be.
    pub(super) fn texts(&self) -> Result<Pairs, Failure> {
        if self.text.is_empty() && self.template.is_none() {
            return Err(Failure::Usage("nothing to say: give --text or --template".into()));
        }
        let languages = match (self.text.len(), self.lang.len()) {
            (1, 0) => vec!["en".to_string()],
            (texts, languages) if texts == languages => self.lang.clone(),
            _ => return Err(Failure::Usage("give one --lang for each --text, in the same order".into())),
        };
        // What was meant would go out as it stands, before the text.
        let prefixed = |text: &String| text.split_once('=').is_some_and(|(tag, _)| is_language(tag));
        if self.lang.is_empty() && self.text.iter().any(prefixed) {
            let help = "a text that begins with a language and `=`: give the language by --lang, the text alone by --text";
            return Err(Failure::Usage(help.into()));
        }
        match (1..languages.len()).any(|at| languages[..at].contains(&languages[at])) {
            true => Err(Failure::Usage("a language is given twice".into())),
            false => Ok(Pairs(languages.into_iter().zip(self.text.iter().cloned()).collect())),
        }
    }

    /// Returns the template, if one was named.
    pub(super) fn template(&self) -> Result<Option<Template<'_>>, Failure> {
        let Some(name) = &self.template else { return Ok(None) };
        let params = pairs("--param", &self.param)?;
        Ok(Some(Template { name, language: self.template_lang.as_deref(), params }))
    }
}

/// Says whether this looks like the tag of a language: `ar`, `en-US`.
fn is_language(tag: &str) -> bool {
    let (language, region) = tag.split_once('-').unwrap_or((tag, ""));
    matches!(language.len(), 2 | 3) && language.bytes().all(|b| b.is_ascii_lowercase()) && region.len() <= 8
}

/// Reads options that are given as name=value.
pub(super) fn pairs(option: &str, given: &[String]) -> Result<Pairs, Failure> {
    let pairs: Result<_, _> = given
        .iter()
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => Ok((name.to_string(), value.to_string())),
            None => Err(Failure::Usage(format!("{option}: write it as name=value"))),
        })
        .collect();
    pairs.map(Pairs)
}
