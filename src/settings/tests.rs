use super::*;
use crate::core::channel::Channel;
use crate::core::gateway::Receipts;

const KINDS: [AdapterKind; 2] = [
    kind("telegram-bot", Channel::Telegram, Receipts::None),
    kind("sms-smpp", Channel::Sms, Receipts::Delivered),
];

const fn kind(name: &'static str, channel: Channel, receipts: Receipts) -> AdapterKind {
    AdapterKind { name, channel, receipts, window: WINDOW, connect_time_out: CONNECT_TIME_OUT, probes: "" }
}

fn read(text: &str) -> (Option<Settings>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("wasl.toml");
    std::fs::write(&path, text).expect("written");
    let mut diags = Diagnostics::default();
    let settings = Settings::read(&path, &KINDS, &mut diags);
    let shown = diags.render().replace(&format!("{}/", folder.path().display()), "");
    (settings, shown)
}

fn check(text: &str, expected: &[&str]) {
    let (_, shown) = read(text);
    for part in expected {
        assert!(shown.contains(part), "{part}\n---\n{shown}");
    }
    if expected.is_empty() {
        assert_eq!(shown, "");
    }
}

const TELEGRAM: &str = "[[gateway]]\nname = \"t\"\nchannel = \"telegram\"\nadapter = \"telegram-bot\"\n";
const SMS: &str = "[[gateway]]\nname = \"sms-a\"\nchannel = \"sms\"\nadapter = \"sms-smpp\"\n";

#[test]
fn an_empty_file_has_the_defaults_and_a_warning() {
    let (settings, shown) = read("");
    let settings = settings.expect("it is TOML");
    assert!(shown.contains("warning[no-gateway]"), "{shown}");
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.server.public_url, "http://127.0.0.1:8080");
    assert!(settings.store.path.ends_with("var/wasl"));
    assert_eq!((settings.retention.audit, settings.dwell), (None, Span::from_secs(20)));
    assert_eq!(settings.resolvers, [Resolver::System]);
}

#[test]
fn a_gateway_keeps_its_adapters_own_keys() {
    let (settings, shown) = read(&format!(
        "{SMS}host = \"smsc\"\nrate = \"40/s\"\nquota = [\"500 messages/1h\"]\ncost = 1\nfailure_domains = \
         [\"carrier:jawwal\"]\n"
    ));
    assert_eq!(shown, "");
    let mut gateway = settings.expect("sound").gateways.remove(0);
    assert_eq!((gateway.config.receipts, gateway.config.window), (Receipts::Delivered, 50));
    assert_eq!((gateway.config.cost, gateway.config.needs_internet()), (1.0, false));
    assert_eq!(gateway.rest.keys().collect::<Vec<_>>(), ["host"]);
    assert_eq!(gateway.hook_url, "http://127.0.0.1:8080/hooks/sms-a");
    let mut diags = Diagnostics::default();
    assert_eq!(gateway.rest.string("host", &mut diags).map(|h| h.value).as_deref(), Some("smsc"));
    gateway.rest.finish(&mut diags);
    assert!(diags.is_empty());
}

#[test]
fn a_listener_off_loopback_needs_tls_or_a_word() {
    let with = |more: &str| format!("[server]\nlisten = \"0.0.0.0:80\"\n{more}\n{SMS}");
    check(&with(""), &["error[plain-http]", "2 | listen = \"0.0.0.0:80\"\n  |          ^^^^^^^^^^^^"]);
    check(&with("plain_http = true"), &[]);
    check(
        &with("tls = { cert = \"none.pem\" }"),
        &["`server.tls` has no `key`", "`cert` of `server.tls` cannot"],
    );
    check(&format!("[server]\nlisten = \"[::1]:0\"\n{SMS}"), &[]);
}

#[test]
fn mistakes_are_named_with_their_remedy() {
    check("[sever]\n", &["unknown key `sever`", "did you mean `server`?"]);
    check(&SMS.repeat(2), &["two gateways are called `sms-a`"]);
    check(&SMS.replace("sms-a", "SMS a"), &["`SMS a` cannot be the name of a gateway"]);
    check(&SMS.replace("\"sms\"", "\"smss\""), &["error[unknown-channel]", "did you mean `sms`?"]);
    check(
        &SMS.replace("\"sms\"", "\"telegram\""),
        &["`sms-smpp` does not serve `telegram`", "`telegram-bot`"],
    );
    check(&SMS.replace("sms-smpp", "sms-smp"), &["for `sms` there is `sms-smpp`"]);
    check(&TELEGRAM.replace("telegram-bot", "telegram"), &["for `telegram` there is `telegram-bot`"]);
    let mesh = SMS.replace("\"sms\"", "\"mesj\"");
    check(
        &mesh,
        &["error[unknown-channel]", "known are `email`, `signal`, `sms`, `telegram`, `webhook`, `whatsapp`"],
    );
    check(
        &format!("{SMS}quota = \"500/day\"\n"),
        &["must be a list of quotas", "write a list: `quota = [\"500 messages/1d\"]`"],
    );
    check(&format!("{SMS}quota = [\"500/day\"]\n"), &["\"500 messages/1d\""]);
    check("[server]\ntls = true\n", &["write `tls = { cert = \"cert.pem\", key = \"key.pem\" }`"]);
    check(&format!("{SMS}receipts = \"read\"\n"), &["warning[receipts-too-good]"]);
    check(&format!("{SMS}base_url = \"https://me:pass@x\"\n"), &["error[bad-url]", "base_url = ***"]);
    for port in ["0", "70000"] {
        let said = ["error[bad-url]", "its port is not a number from 1 to 65535"];
        check(&format!("{SMS}base_url = \"https://x:{port}\"\n"), &said);
    }
    check(&format!("{SMS}quota = [\"10 people/1d\"]\n"), &["is not a quota"]);
    check(&format!("{SMS}failure_domains = [\"Carrier X\"]\n"), &["cannot be a failure domain"]);
    check("[retention]\nmessages = \"never\"\n", &["is not a length of time"]);
    check("[store]\nreserve = \"1kB\"\n", &["too small"]);
    check("[net]\nresolvers = [\"dns.example\"]\n", &["is not a resolver"]);
    check(
        "[[uplink]]\nname = \"a\"\ncontrols = [\"ping:1\"]\n",
        &["is not a control", "its owner's outage would be taken for ours"],
    );
    let uplink = |controls: &[&str]| format!("[[uplink]]\nname = \"a\"\ncontrols = {controls:?}\n");
    let three = ["dns:9.9.9.9", "dns:1.1.1.1", "tcp:192.0.2.10:443"];
    check(
        &uplink(&three[..2]),
        &["error[out-of-range]", "has 2 controls; 3 to 5 are needed", "wasl.toml:3:12"],
    );
    check(&uplink(&[]), &["has 0 controls; 3 to 5 are needed", "nothing to ask"]);
    check(&uplink(&[three, three].concat()), &["has 6 controls; 3 to 5 are needed"]);
    let amal = "[[operator]]\nname = \"amal\"\n";
    check(amal, &["neither `email` nor `contact`"]);
    check(&format!("{amal}email = \"Amal <a@b>\"\n"), &["is no address", "not NAME@HOST"]);
    check(&format!("{amal}email = \"a@b\"\nlanguage = \"fr\"\n"), &["error[", "`fr`"]);
    check(&format!("{amal}email = \"a@b\"\n{amal}email = \"c@d\"\n"), &["two operators are called `amal`"]);
    check("[notices]\nheartbeat_url = \"ping\"\n", &["is no address", "warning[literal-secret]"]);
    check("[notices]\nheartbeat_url = \"https://watch.example.org/a#b\"\n", &["is no address"]);
    check("[notices]\nheartbeat_every = \"1s\"\n", &["error[out-of-range]"]);
    // What is not built is not taken: somebody would count on it.
    check(
        "[retention]\nminutes = \"30d\"\nhours = \"2y\"\n",
        &["unknown key `minutes`", "unknown key `hours`"],
    );
    check("[server]\ntrusted_proxies = [\"10.0.0.0/40\"]\n", &["is not an address or a range"]);
}

#[test]
fn controls_read_as_written() {
    let check = |text: &str, expected: Option<Control>| assert_eq!(Control::parse(text), expected, "{text}");
    check("dns:9.9.9.9", Some(Control::Dns("9.9.9.9:53".parse().expect("an address"))));
    check("dns:127.0.0.1:5353", Some(Control::Dns("127.0.0.1:5353".parse().expect("an address"))));
    check("tcp:192.0.2.10:443", Some(Control::Tcp { host: "192.0.2.10".into(), port: 443 }));
    check("tcp:[2001:db8::1]:443", Some(Control::Tcp { host: "2001:db8::1".into(), port: 443 }));
    check("https://example.net/", Some(Control::Http("https://example.net/".into())));
    check("tcp:host", None);
    check("dns:host", None);
    check("ftp://x", None);
    check("https://example.net:70000/", None);
}

#[test]
fn a_network_holds_its_addresses() {
    let check = |network: &str, address: &str, expected| {
        let network = Network::parse(network).expect("a network");
        assert_eq!(network.contains(address.parse().expect("an address")), expected, "{address}");
    };
    check("10.0.0.0/8", "10.255.0.1", true);
    check("10.0.0.0/8", "11.0.0.1", false);
    check("10.0.0.0/8", "::ffff:10.1.1.1", true);
    check("0.0.0.0/0", "8.8.8.8", true);
    check("192.0.2.7", "192.0.2.8", false);
    check("fd00::/8", "fd12::1", true);
}
