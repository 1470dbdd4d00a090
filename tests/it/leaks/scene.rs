//! The providers, the wires to them, the files of the service, and what is planted in all of it.

use super::planted::{Heard, Kind, Planted};
use super::wire::Wire;
use crate::support::process::{Process, start_by, wasl_run, write};
use crate::support::tables::{Table, file};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use tempfile::TempDir;
use wasl::adapter::ADAPTERS;
use wasl::emulator::sms_http::{self, Dialect};
use wasl::emulator::{dns, smsc, smtp, telegram, twilio, webhook, whatsapp};

pub(super) const ACCESS_TOKEN: &str = "EAAGplantedAccess7Qx9Zz03";
pub(super) const APP_SECRET: &str = "planted-app-3b71c0ffee";
pub(super) const VERIFY_TOKEN: &str = "planted-verify-9d2c44";
pub(super) const WEBHOOK_SECRET: &str = "planted-webhook-6e0f12";
const BOT_TOKEN: &str = "7000000001:AAplantedBot-_x5QwErTy";
const SMSC_PASSWORD: &str = "pl4ntPw9";
pub(super) const AUTH_TOKEN: &str = "plantedTwilio4f7a91c3e5b2";
const BOX_PASSWORD: &str = "planted-box-77d0a1e5";
const BOX_HOOK: &str = "planted-box-hook-40f1d9c2";
pub(super) const BOX_REPLIES: &str = "planted-box-replies-93be07a1";
const MAIL_PASSWORD: &str = "planted-mail-51aa7e";
const HOOK_KEY: &str = "planted-hook-Zk83jd02";
const SIGNING_SECRET: &str = "whsec_cGxhbnRlZCBzZWNyZXQgb2Ygd2ViaG9va3M=";
pub(super) const NUMBER: &str = "+970599731846";
pub(super) const CHAT: &str = "8127364590";
pub(super) const MAILBOX: &str = "planted.person@secret.example";
pub(super) const REFERENCE: &str = "planted-case-4815162342";
pub(super) const ARABIC: &str = "سرّ مزروع في الرسالة الثامنة";
pub(super) const ENGLISH: &str = "Planted phrase quetzal harmonica";

/// Somebody on each channel.
pub(super) const PEOPLE: [(&str, &str); 5] =
    [("whatsapp", NUMBER), ("telegram", CHAT), ("sms", NUMBER), ("email", MAILBOX), ("webhook", REFERENCE)];

/// Kinds of gateways that hold nothing to be kept secret; every other one stands in the scene.
const WITHOUT_SECRETS: &[&str] = &["signal-cli", "signal-rest"];

pub(super) fn everything_planted() -> Vec<Planted> {
    [
        ("the access token", Kind::Secret, ACCESS_TOKEN),
        ("the app secret", Kind::Secret, APP_SECRET),
        ("the verify token", Kind::Secret, VERIFY_TOKEN),
        ("the webhook secret", Kind::Secret, WEBHOOK_SECRET),
        ("the bot token", Kind::Secret, BOT_TOKEN),
        ("the SMSC password", Kind::Secret, SMSC_PASSWORD),
        ("the auth token", Kind::Secret, AUTH_TOKEN),
        ("the SMS box's password", Kind::Secret, BOX_PASSWORD),
        ("the SMS box's hook", Kind::Secret, BOX_HOOK),
        ("the SMS box's replies", Kind::Secret, BOX_REPLIES),
        ("the mail password", Kind::Secret, MAIL_PASSWORD),
        ("the hook's key", Kind::Secret, HOOK_KEY),
        ("the signing secret", Kind::Secret, SIGNING_SECRET),
        ("the number", Kind::Address, NUMBER),
        ("the chat", Kind::Address, CHAT),
        ("the mailbox", Kind::Address, MAILBOX),
        ("the reference", Kind::Address, REFERENCE),
        ("the Arabic text", Kind::Text, ARABIC),
        ("the English text", Kind::Text, ENGLISH),
    ]
    .map(|(name, kind, value)| Planted::new(name, kind, value))
    .into()
}

/// What is right in the file, and a mistake in its place, a secret on the same line or near it.
pub(super) fn mistakes() -> Vec<(String, String)> {
    let token = format!("access_token = \"{ACCESS_TOKEN}\"");
    let bot = format!("bot_token = {{ file = \"bot-token\" }} # of {}", "tg");
    let host = "base_url = \"https://graph.nowhere.example\"";
    let twilio = format!("auth_token = \"{AUTH_TOKEN}\"");
    let hook = "url = { file = \"hook-url\" } # of hook";
    let box_ = "password = { file = \"box-password\" } # of box";
    let both = |right: &str, wrong: String| (right.to_owned(), wrong);
    vec![
        both(&token, format!("access_token = \"{ACCESS_TOKEN}")),
        both(&token, format!("access_token = {ACCESS_TOKEN}")),
        both(&token, format!("access_token: \"{ACCESS_TOKEN}\"")),
        both(&token, format!("access_token \"{ACCESS_TOKEN}\"")),
        both(&token, format!("acess_tokn = \"{ACCESS_TOKEN}\"")),
        both(&token, format!("access_token =\n  \"{ACCESS_TOKEN}\"")),
        both(&token, format!("access_token = [\"{ACCESS_TOKEN}\"]")),
        both(&token, format!("access_token = {{ env = \"{ACCESS_TOKEN}\" }}")),
        both(&token, format!("access_token = {{ file = \"{ACCESS_TOKEN}\" }}")),
        both(&token, format!("access_token = {{ evn = \"{ACCESS_TOKEN}\" }}")),
        both(&token, format!("access_token = {{ value = \"{ACCESS_TOKEN}\", file = 3 }}")),
        both(&token, format!("access_token = \"{ACCESS_TOKEN}\", window = 3")),
        both(&token, format!("access_token = \"\"\"\n{ACCESS_TOKEN}\n")),
        both(&token, format!("rate = \"x\"\naccess_token = \"{ACCESS_TOKEN}\"")),
        both(&bot, format!("bot_token = \"{BOT_TOKEN} \"")),
        both(host, format!("base_url = \"htps://api.telegram.org/bot{BOT_TOKEN}\"")),
        both(host, format!("base_url = \"https://u:{MAIL_PASSWORD}@api.telegram.org\"")),
        both(host, format!("base_url = \"https://api.telegram.org?key={APP_SECRET}\"")),
        both(&bot, format!("bot_token = \"{BOT_TOKEN}\"\nbase_url = \"https://h/bot{BOT_TOKEN}\"")),
        both(&twilio, format!("auth_token = \"{AUTH_TOKEN}")),
        both(&twilio, format!("auth_tokn = \"{AUTH_TOKEN}\"")),
        both(&twilio, format!("auth_token = \" {AUTH_TOKEN}\"")),
        both(&twilio, format!("auth_token = \"{AUTH_TOKEN}\", from = 3")),
        both(&twilio, format!("messaging_service_sid = \"x\"\nauth_token = \"{AUTH_TOKEN}\"")),
        both(hook, format!("url = \"https://hooks.example/in/{HOOK_KEY}")),
        both(hook, format!("url = https://hooks.example/in/{HOOK_KEY}")),
        both(hook, format!("url: \"https://hooks.example/in/{HOOK_KEY}\"")),
        both(hook, format!("url =\n  \"https://hooks.example/in/{HOOK_KEY}\"")),
        both(hook, format!("url = [\"https://hooks.example?key={HOOK_KEY}\"]")),
        both(hook, format!("ulr = \"https://hooks.example/in/{HOOK_KEY}\"")),
        both(hook, format!("url = {{ env = \"https://hooks.example/in/{HOOK_KEY}\" }}")),
        both(hook, format!("url = {{ file = \"https://hooks.example/in/{HOOK_KEY}\" }}")),
        both(hook, format!("url = \"https://u:{HOOK_KEY}@hooks.example/in\"")),
        both(hook, format!("url = \"hooks.example/in/{HOOK_KEY}\"")),
        both(hook, format!("base_url = \"https://hooks.example/in/{HOOK_KEY}\"")),
        both(hook, format!("url = hooks.example/in/{HOOK_KEY}")),
        both(hook, format!("url: \"hooks.example/in/{HOOK_KEY}\"")),
        both(hook, format!("ulr = \"hooks.example/in/{HOOK_KEY}\"")),
        both(hook, format!("url.value = \"hooks.example/in/{HOOK_KEY}\"")),
        both(hook, format!("webhook_url = \"https://hooks.example/in/{HOOK_KEY}\"")),
        both(hook, format!("url = \"https://hooks.example:70000/in/{HOOK_KEY}\"")),
        both(hook, format!("url = \"https://hooks.example/{HOOK_KEY}?x={{y}}")),
        both(
            hook,
            format!(
                "gateway = [{{ name = \"x\", adapter = \"webhok\", url = \"https://h/in/{HOOK_KEY}\" }}]"
            ),
        ),
        both(&bot, format!("bot_token.value = \"{BOT_TOKEN}\"")),
        both(box_, format!("password = \"{BOX_PASSWORD}")),
        both(box_, format!("pasword = \"{BOX_PASSWORD}\"")),
        both(box_, format!("hook_secrt = \"{BOX_HOOK}\"")),
        both(box_, format!("reply_secrt = \"{BOX_REPLIES}\"")),
        both(box_, format!("reply_secret = [\"{BOX_REPLIES}\"]")),
        both(box_, format!("request.headers = {{ authorization = \"Bearer {BOX_PASSWORD}\", x = [1] }}")),
        both(box_, format!("request.form.password = \"{BOX_PASSWORD}{{no_such}}\"")),
        both(box_, format!("status_url = [\"http://h/status?password={BOX_PASSWORD}\"]")),
    ]
}

/// The world around the service.
pub(super) struct Scene {
    pub(super) folder: TempDir,
    pub(super) whatsapp: whatsapp::Handle,
    pub(super) telegram: telegram::Handle,
    pub(super) smsc: smsc::Handle,
    pub(super) twilio: twilio::Handle,
    pub(super) mail: smtp::Handle,
    pub(super) hook: webhook::Handle,
    pub(super) sms_box: sms_http::Handle,
    names: dns::Handle,
    wires: [(&'static str, Wire); 7],
    /// A port that nobody listens on.
    nobody: SocketAddr,
}

impl Scene {
    pub(super) async fn new() -> Scene {
        let whatsapp = whatsapp::Options {
            token: ACCESS_TOKEN.into(),
            app_secret: APP_SECRET.into(),
            ..whatsapp::Options::default()
        };
        let telegram = telegram::Options { token: BOT_TOKEN.into(), ..telegram::Options::default() };
        let smsc = smsc::Options { password: SMSC_PASSWORD.into(), ..smsc::Options::default() };
        let twilio = twilio::Options { auth_token: AUTH_TOKEN.into(), ..twilio::Options::default() };
        let login = Some(("wasl".to_owned(), MAIL_PASSWORD.to_owned()));
        let mail = smtp::Options { login, ..smtp::Options::default() };
        let hook = webhook::Options {
            target: format!("/in/{HOOK_KEY}?key={HOOK_KEY}"),
            secret: SIGNING_SECRET.into(),
            ..webhook::Options::default()
        };
        let whatsapp = whatsapp::start(whatsapp).await.unwrap();
        let telegram = telegram::start(telegram).await.unwrap();
        let smsc = smsc::start(smsc).await.unwrap();
        let twilio = twilio::start(twilio).await.unwrap();
        let mail = smtp::start(mail).await.unwrap();
        let hook = webhook::start(hook).await.unwrap();
        let sms_box =
            sms_http::Options { password: BOX_PASSWORD.into(), ..sms_http::Options::of(Dialect::Jasmin) };
        let sms_box = sms_http::start(sms_box).await.unwrap();
        let scene = Scene {
            folder: tempfile::tempdir().unwrap(),
            names: dns::start(dns::Options::default()).await.unwrap(),
            wires: [
                ("whatsapp", Wire::to(whatsapp.addr()).await),
                ("telegram", Wire::to(telegram.addr()).await),
                ("smsc", Wire::to(smsc.addr()).await),
                ("twilio", Wire::to(twilio.addr()).await),
                ("mail", Wire::to(mail.addr()).await),
                ("hook", Wire::to(hook.addr()).await),
                ("box", Wire::to(sms_box.addr()).await),
            ],
            nobody: TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
            whatsapp,
            telegram,
            smsc,
            twilio,
            mail,
            hook,
            sms_box,
        };
        for kind in ADAPTERS.iter().filter(|kind| !WITHOUT_SECRETS.contains(&kind.name)) {
            let here = scene.settings().contains(&format!("adapter = \"{}\"", kind.name));
            assert!(here, "plant the secrets of `{}` in this scene", kind.name);
        }
        for (name, text) in [
            ("wasl.toml", scene.settings().as_str()),
            ("policies/all.toml", RULES),
            ("probes/all.toml", PROBES),
            ("bot-token", BOT_TOKEN),
            ("mail-password", MAIL_PASSWORD),
            ("box-password", BOX_PASSWORD),
            ("hook-url", &format!("http://{}/in/{HOOK_KEY}?key={HOOK_KEY}", scene.wire("hook"))),
        ] {
            write(scene.folder.path(), name, text);
        }
        scene
    }

    /// Returns what a bad-mannered provider says in an error: all that it was ever told.
    pub(super) fn echo(&self) -> String {
        format!(
            "{NUMBER} {CHAT} {MAILBOX} said {ENGLISH} with {ACCESS_TOKEN} {BOT_TOKEN} {SMSC_PASSWORD} {MAIL_PASSWORD} \
             {AUTH_TOKEN} {REFERENCE} {HOOK_KEY} {SIGNING_SECRET} {BOX_PASSWORD} {BOX_HOOK} {BOX_REPLIES}"
        )
    }

    fn wire(&self, name: &str) -> SocketAddr {
        self.wires.iter().find(|(known, _)| *known == name).unwrap().1.addr
    }

    pub(super) fn settings(&self) -> String {
        let http = |name: &str| format!("http://{}", self.wire(name));
        let hook = format!("\"http://{}/in/{HOOK_KEY}\"", self.nobody);
        let server = [
            Table::server(),
            Table::store(),
            Table::new("[net]").plain("resolvers", format_args!("[\"{}\"]", self.names.addr())),
            Table::new("[detection]").text("dwell", "2s"),
        ];
        // These fail in each layer: no name, nobody there, no TLS. They stand first, so that they are tried.
        let bad = [
            Table::whatsapp("wa-no-name", "https://graph.nowhere.example")
                .plain("access_token", r#"{ env = "WASL_TEST_ACCESS" }"#),
            Table::telegram("tg-no-tls", format_args!("https://{}", self.wire("telegram")))
                .plain("bot_token", r#"{ file = "bot-token" }"#),
            Table::sms("sms-nobody", self.nobody).plain("password", r#"{ env = "WASL_TEST_SMPP" }"#),
            Table::twilio("tw-nobody", format_args!("http://{}", self.nobody))
                .plain("auth_token", r#"{ env = "WASL_TEST_TWILIO" }"#),
            self.mail("mail-no-tls", "required"),
            Table::sms_http("box-nobody", "kannel", format_args!("http://{}", self.nobody))
                .text("password", BOX_PASSWORD)
                .text("hook_secret", BOX_HOOK)
                .text("reply_secret", BOX_REPLIES),
            Table::webhook("hook-nobody", hook).text("secret", SIGNING_SECRET),
        ];
        let good = [
            Table::whatsapp("wa", http("whatsapp"))
                .text("access_token", ACCESS_TOKEN)
                .text("app_secret", APP_SECRET)
                .text("verify_token", VERIFY_TOKEN),
            Table::telegram("tg", http("telegram"))
                .text("updates", "webhook")
                .text("webhook_secret", WEBHOOK_SECRET)
                .plain("bot_token", r#"{ file = "bot-token" } # of tg"#),
            Table::sms("sms", self.wire("smsc")).text("password", SMSC_PASSWORD),
            Table::twilio("tw", http("twilio")).text("auth_token", AUTH_TOKEN),
            Table::sms_http("box", "jasmin", http("box"))
                .plain("password", r#"{ file = "box-password" } # of box"#)
                .text("hook_secret", BOX_HOOK),
            self.mail("mail", "none"),
            Table::webhook("hook", r#"{ file = "hook-url" } # of hook"#).text("secret", SIGNING_SECRET),
        ];
        file(server.into_iter().chain(bad).chain(good))
    }

    fn mail(&self, name: &str, tls: &str) -> Table {
        Table::mail(name, self.wire("mail"))
            .text("tls", tls)
            .text("username", "wasl")
            .plain("password", r#"{ file = "mail-password" }"#)
    }

    /// Starts the service with a log that tells everything, in this shape.
    pub(super) async fn serve(&self, shape: &str) -> Process {
        let mut command = wasl_run();
        command.args(["--log", shape]).env("WASL_LOG", "trace");
        command.env("WASL_TEST_ACCESS", ACCESS_TOKEN).env("WASL_TEST_SMPP", SMSC_PASSWORD);
        command.env("WASL_TEST_TWILIO", AUTH_TOKEN);
        start_by(self.folder.path(), command).await
    }

    /// Tells WhatsApp where its receipts go, and Twilio by which road.
    pub(super) fn call_back(&self, service: &Process) {
        self.twilio.set_road(Some(service.base()));
        self.whatsapp.set_callback(Some(&format!("{}/hooks/wa", service.base())));
    }

    /// Keeps what the service said to the providers, and which addresses it asked for.
    pub(super) fn keep_wires(&self, heard: &mut Heard) {
        for (name, wire) in &self.wires {
            heard.push(format!("wire {name}"), wire.heard());
            heard.push(format!("url {name}"), wire.targets().join("\n"));
        }
    }
}

const RULES: &str = r#"
[[rule]]
name = "all"
deadline = "1s"
expiry = "12s"
confirm = "accepted"
on_unknown = "repeat"
escalate = ["c-1"]
  [[rule.step]]
  channels = ["whatsapp", "telegram", "sms", "email", "webhook"]
  wait = "2s"
"#;

const PROBES: &str = r#"
[[probe]]
name = "account"
kind = "api"
adapter = "whatsapp-cloud"
interval = "1s"
url = "{base_url}/v23.0/{phone_number_id}?fields=health_status"
bearer = "access_token"
expect.status = 200

[[probe]]
name = "bot"
kind = "api"
adapter = "telegram-bot"
interval = "1s"
url = "{base_url}/bot{bot_token}/getMe"
expect.status = 200

[[probe]]
name = "account"
kind = "api"
adapter = "sms-twilio"
interval = "1s"
url = "{base_url}/2010-04-01/Accounts/{account_sid}.json"
basic = { user = "account_sid", password = "auth_token" }
expect.status = 200

[[probe]]
name = "mail"
kind = "smtp"
adapter = "email-smtp"
interval = "1s"
host = "{host}"
port = "{port}"

[[probe]]
name = "web"
kind = "http"
adapter = "webhook"
interval = "1s"
method = "OPTIONS"
url = "{url}"
"#;

/// Keeps what a run of the service printed, and clears it for the next one.
pub(super) fn keep(heard: &mut Heard, folder: &Path, shape: &str) {
    for (stream, file) in [("stderr of wasl run", "stderr.txt"), ("wasl run stdout", "stdout.txt")] {
        heard.push(format!("{stream} {shape}"), std::fs::read(folder.join(file)).unwrap());
    }
    std::fs::write(folder.join("stderr.txt"), "").unwrap();
}

/// Keeps what lies on disk.
pub(super) fn keep_disk(heard: &mut Heard, folder: &Path) {
    let mut folders = vec![folder.join("var")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.file_name().unwrap().to_string_lossy().into_owned();
                    // The reserve is room and nothing else.
                    if name != "reserve" {
                        heard.push(format!("disk {name}"), std::fs::read(&path).unwrap());
                    }
                }
            }
        }
    }
}
