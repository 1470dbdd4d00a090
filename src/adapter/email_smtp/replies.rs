//! What a mail server's replies mean, by the step at which they come, the code, and the enhanced code.
//
// Cites: RFC 5321, section 4.2; RFC 3463 (enhanced codes); RFC 4954, section 6 (authentication).

use crate::adapter::verdict::{deferred, rejected};
use crate::core::outcome::{Outcome, Reason};
use crate::core::time::Span;

/// When to come back to a recipient who is greylisted or whose mailbox is full. Cites: RFC 6647, section 4.5.
const RECIPIENT_LATER: Span = Span::from_mins(5);

/// How far the dialogue was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Greeting, EHLO, STARTTLS, AUTH.
    Opening,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA, and the message itself.
    Content,
}

/// A refusing reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    /// The three digits.
    pub(super) code: u16,
    /// Subject and detail of the enhanced code; zeros where there is none.
    pub(super) enhanced: (u16, u16),
    /// Whether its words speak of us or of the relay, whatever the step: the same would be said of every recipient.
    pub(super) is_of_us: bool,
}

/// How common servers put it, in lower case. Cites: the texts of Postfix (`Relay access denied`, `Client host rejected`,
/// `Helo command rejected`), Exim (`relay not permitted`), Sendmail (`Relaying denied`), Exchange (`Unable to relay`)
/// and qmail (`rcpthosts`). Whole phrases: an address in the text may hold any of their words.
const OF_US: [&str; 9] = [
    "relay access denied",
    "relay not permitted",
    "relaying denied",
    "relaying not ",
    "unable to relay",
    "not permitted to relay",
    "list of allowed rcpthosts",
    "client host rejected",
    "helo command rejected",
];

impl Reply {
    /// Reads the code's text for its enhanced code, which must agree with it.
    pub(super) fn new(code: u16, text: &str) -> Reply {
        let mut numbers = text.split_whitespace().next().unwrap_or_default().split('.').map(str::parse);
        let enhanced = match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(class)), Some(Ok(subject)), Some(Ok(detail)), None) if code / 100 == class => {
                (subject, detail)
            }
            _ => (0, 0),
        };
        let text = text.to_ascii_lowercase();
        Reply { code, enhanced, is_of_us: OF_US.iter().any(|words| text.contains(words)) }
    }
}

/// Judges a refusing reply.
pub(super) fn outcome(step: Step, reply: &Reply) -> Outcome {
    match reply.code {
        432 | 530 | 534 | 535 | 538 => rejected(Reason::Credentials),
        421 | 454 => deferred(Reason::ProviderFault, None),
        400..=499 => later(step, reply),
        _ => never(step, reply),
    }
}

fn later(step: Step, reply: &Reply) -> Outcome {
    match (step, reply.enhanced.0) {
        (_, 0 | 7) if reply.is_of_us => deferred(Reason::Throttled, None),
        // Our own address.
        (Step::Recipient | Step::Content, 1) if matches!(reply.enhanced.1, 7 | 8) => {
            deferred(Reason::Throttled, None)
        }
        // What passes: a full mailbox, a domain that is not found for now, greylisting of this pair. A pair limit is
        // the recipient's reason that waiting ends; any other bars the channel for good.
        (Step::Recipient | Step::Content, 1 | 2 | 7) => deferred(Reason::PairLimit, Some(RECIPIENT_LATER)),
        (Step::Recipient, 0) if reply.code == 450 => deferred(Reason::PairLimit, Some(RECIPIENT_LATER)),
        (_, 7) => deferred(Reason::Throttled, None),
        _ => deferred(Reason::ProviderFault, None),
    }
}

fn never(step: Step, reply: &Reply) -> Outcome {
    rejected(match (step, reply.enhanced, reply.code) {
        (_, (3, 4) | (2, 3), _) => Reason::ContentRefused,
        (_, (0 | 7, _), _) if reply.is_of_us => Reason::Configuration,
        (Step::Recipient | Step::Content, (1, 7 | 8), _) => Reason::Configuration,
        (Step::Recipient | Step::Content, (1, 2 | 3), _) => Reason::BadAddress,
        (Step::Recipient | Step::Content, (1, _), _) => Reason::NotOnChannel,
        (Step::Recipient | Step::Content, (2 | 4, _), _) => Reason::Undeliverable,
        (Step::Content, (6 | 7, _), _) => Reason::ContentRefused,
        (_, (6, _), _) => Reason::ContentRefused,
        (_, (7, _), _) => Reason::Configuration,
        (Step::Recipient, (0, _), 501 | 553) => Reason::BadAddress,
        (Step::Recipient, (0, _), 550 | 551 | 554 | 556) => Reason::NotOnChannel,
        (Step::Recipient, (0, _), 552) => Reason::Undeliverable,
        (Step::Content, (0, _), 550 | 552 | 554) => Reason::ContentRefused,
        // A server that greets like this takes no mail at all. Cites: RFC 7504.
        (Step::Opening, _, 521 | 554) => Reason::ServiceDown,
        _ => Reason::Configuration,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{Content, Opening, Recipient, Sender};

    #[test]
    fn replies_are_read_by_step_code_and_enhanced_code() {
        let check = |step, code, text: &str, expected: Outcome| {
            assert_eq!(outcome(step, &Reply::new(code, text)), expected, "{step:?} {code} {text}");
        };
        let soon = Some(RECIPIENT_LATER);
        check(Opening, 421, "4.3.2 shutting down", deferred(Reason::ProviderFault, None));
        check(Recipient, 421, "", deferred(Reason::ProviderFault, None));
        check(Opening, 454, "4.7.0 temporary authentication failure", deferred(Reason::ProviderFault, None));
        for code in [432, 530, 534, 535, 538] {
            check(Opening, code, "5.7.8 bad", rejected(Reason::Credentials));
        }
        check(Sender, 530, "5.7.0 Authentication required", rejected(Reason::Credentials));
        check(Opening, 554, "no SMTP service here", rejected(Reason::ServiceDown));
        check(Opening, 554, "5.7.1 your address is blocked", rejected(Reason::Configuration));
        check(Sender, 450, "4.7.1 Error: too much mail", deferred(Reason::Throttled, None));
        check(Sender, 451, "4.3.0 queue file write error", deferred(Reason::ProviderFault, None));
        check(Sender, 452, "insufficient system storage", deferred(Reason::ProviderFault, None));
        check(Sender, 550, "5.1.8 bad sender's domain", rejected(Reason::Configuration));
        check(Sender, 553, "5.1.7 sender not yours", rejected(Reason::Configuration));
        check(Sender, 552, "5.3.4 too big", rejected(Reason::ContentRefused));
        check(Sender, 450, "4.7.1 <[192.0.2.1]>: Client host rejected", deferred(Reason::Throttled, None));
        check(Recipient, 450, "4.2.0 greylisted", deferred(Reason::PairLimit, soon));
        check(Recipient, 450, "4.1.2 <a@b.example>: Domain not found", deferred(Reason::PairLimit, soon));
        check(Recipient, 450, "4.1.8 <us@b.example>: Domain not found", deferred(Reason::Throttled, None));
        check(Content, 452, "4.2.2 mailbox full", deferred(Reason::PairLimit, soon));
        let unnamed = "4.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]";
        check(Recipient, 450, unnamed, deferred(Reason::Throttled, None));
        check(Recipient, 450, "Client host rejected", deferred(Reason::Throttled, None));
        check(Recipient, 451, "4.7.1 greylisted", deferred(Reason::PairLimit, soon));
        check(Recipient, 450, "mailbox busy", deferred(Reason::PairLimit, soon));
        check(Recipient, 452, "4.2.2 mailbox full", deferred(Reason::PairLimit, soon));
        check(Recipient, 451, "local error", deferred(Reason::ProviderFault, None));
        check(Recipient, 550, "5.1.1 user unknown", rejected(Reason::NotOnChannel));
        check(Recipient, 550, "no such user", rejected(Reason::NotOnChannel));
        check(Recipient, 551, "5.1.6 moved", rejected(Reason::NotOnChannel));
        check(Recipient, 553, "5.1.3 bad syntax", rejected(Reason::BadAddress));
        check(Recipient, 501, "syntax", rejected(Reason::BadAddress));
        check(Recipient, 550, "5.1.2 no such domain", rejected(Reason::BadAddress));
        check(Recipient, 550, "5.1.8 sender's domain", rejected(Reason::Configuration));
        check(Recipient, 552, "5.2.2 mailbox full", rejected(Reason::Undeliverable));
        check(Recipient, 550, "5.2.1 disabled", rejected(Reason::Undeliverable));
        check(Recipient, 550, "5.4.1 no route", rejected(Reason::Undeliverable));
        check(Recipient, 554, "5.7.1 relay access denied", rejected(Reason::Configuration));
        for ours in [
            "relay not permitted",
            "<a@b.example>: Relay access denied",
            "5.7.1 <a@b.example>... Relaying denied",
            "5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
            "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
            "<[192.0.2.1]>: Client host rejected: Access denied",
        ] {
            check(Recipient, 550, ours, rejected(Reason::Configuration));
            check(Recipient, 553, ours, rejected(Reason::Configuration));
            check(Recipient, 554, ours, rejected(Reason::Configuration));
        }
        check(Recipient, 550, "<relay@unable.example>: no such user", rejected(Reason::NotOnChannel));
        check(Recipient, 550, "5.1.1 Client host rejected", rejected(Reason::NotOnChannel));
        check(Content, 554, "5.7.1 <a@b.example>: Relay access denied", rejected(Reason::Configuration));
        check(Opening, 554, "<[192.0.2.1]>: Client host rejected", rejected(Reason::Configuration));
        check(Recipient, 503, "5.5.1 bad sequence", rejected(Reason::Configuration));
        check(Content, 552, "5.3.4 too big", rejected(Reason::ContentRefused));
        check(Content, 552, "5.2.3 too big", rejected(Reason::ContentRefused));
        check(Content, 552, "too big", rejected(Reason::ContentRefused));
        check(Content, 554, "5.6.0 bad MIME", rejected(Reason::ContentRefused));
        check(Content, 554, "5.7.1 spam", rejected(Reason::ContentRefused));
        check(Content, 554, "transaction failed", rejected(Reason::ContentRefused));
        check(Content, 550, "5.1.1 user unknown", rejected(Reason::NotOnChannel));
        check(Content, 451, "4.3.0 try again", deferred(Reason::ProviderFault, None));
        check(Content, 500, "5.5.2 what?", rejected(Reason::Configuration));
    }

    #[test]
    fn an_enhanced_code_must_agree() {
        let check =
            |code, text: &str, expected| assert_eq!(Reply::new(code, text).enhanced, expected, "{text}");
        check(550, "5.1.1 user unknown", (1, 1));
        check(550, "5.7.501 access denied", (7, 501));
        check(550, "4.1.1 user unknown", (0, 0));
        check(550, "5.1 user unknown", (0, 0));
        check(550, "5.1.1.1 user unknown", (0, 0));
        check(550, "", (0, 0));
    }
}
