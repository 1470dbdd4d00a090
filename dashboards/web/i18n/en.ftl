# The page's words in English. `ar.ftl` has the same messages; a test holds them together.

app-name = Wasl
app-tagline = Crisis messages, by the channel that works
overview = Overview
skip = Skip to the content
language-other = العربية
digits-label = Form of the digits
as-of = as of
stale-since = STALE since
stale = Stale
paused = Paused
pause = Pause
resume = Resume
logout = Log out
login-title = Log in
login-token = Token
login-hint = Paste the token that your administrator gave you. It is exchanged for a session of this browser and not kept here.
login-enter = Log in
login-wrong = Nobody here knows this token.
login-wait = Too many wrong tokens. Try again in { $secs ->
    [one] { $secs } second
   *[other] { $secs } seconds
  }.
no-script = This page renews itself every 15 seconds. With scripts it is live.
footer-policy = Policy { $hash }
footer-version = Wasl { $version }

# === the sentence ===
verdict-label = In one sentence
verdict-held = Everything is held: nothing leaves.
verdict-no-gateways = No gateway is configured: nothing can be sent.
verdict-silent = No channel can be used now.
verdict-quiet = Nothing is waiting.
verdict-in-time = { $n ->
    [one] One delivery is under way, within its deadline.
   *[other] All { $n } deliveries are within their deadlines.
  }
verdict-late = { $late ->
    [one] One delivery is late
   *[other] { $late } deliveries are late
  }, of { $n } under way.
verdict-uplink-down = Our own line { $uplinks } is down.
verdict-channel-down = { $channel } has been down since { $since } ({ $cause }).
verdict-channel-down-plain = { $channel } is down.
verdict-channel-doubt = { $channel } is in doubt.
verdict-channel-throttled = { $channel } waits until { $until }: its providers asked to be left alone.
verdict-channel-closed = { $channel } is not in use: held or under maintenance.
verdict-carry = { $channels } { $n ->
    [one] carries
   *[other] carry
  } the messages.
verdict-all-up = Every channel works.
verdict-unknown = Not everything has been checked yet.

# === banners ===
help-title = { $people ->
    [one] One person needs help
   *[other] { $people } people need help
  }
help-drill = { $people ->
    [one] One person answered a drill with a call for help
   *[other] { $people } people answered a drill with a call for help
  }
help-since = Age of the oldest call:
help-link = What they wrote
held-title = Held
held-all = { $who } stopped everything at { $since }: { $reason }
held-what = Messages are accepted and kept; nothing leaves until it is released.
policy-title = Policy edit refused
policy-what = The last good policy stays in force. Refused at { $at }:

# === the numbers ===
vitals-label = Deliveries in numbers
oldest = Oldest undelivered
oldest-none = none
waiting = Waiting
in-flight = In flight
unconfirmed = awaiting a receipt
backing-off = before the next try
late-now = Late now
late-of = of { $n } open
delivered = Delivered
delivered-of = of { $n } settled since the start
delivered-handed = { $n } handed over
delivered-failed = { $n } failed or expired
channels-up = Channels usable
channels-of = of { $n }
none-settled = nothing settled yet

# === the gateways ===
gateways-label = Gateways
gateway = Gateway
channel = Channel
state = State
odds = Odds
odds-hint = The odds that a message sent now arrives.
layers-hint = How deep the probes get.
flying = In flight
unconfirmed-short = Unconfirmed
history = History
history-window = last { $window }
earlier = earlier
now-word = now
receipts-none = no receipts
deferred-until = asked to be left alone until { $at }
quota-left = { $quota }: { $left } left
overlay-held = { $who }: { $reason }
overlay-drill = looks down to drills until { $until } · { $who }: { $reason }
overlay-drill-everybody = looks down to everybody until { $until } · { $who }: { $reason }
overlay-maintenance = until { $until } · { $who }: { $reason }
removed = no longer configured
no-gateways = No gateway is configured. Add one to wasl.toml.

state-up = up
state-degraded = degraded
state-down = down
state-recovering = recovering
state-unknown = unknown
state-maintenance = maintenance
state-held = held

layer-dns = DNS
layer-tcp = TCP
layer-tls = TLS
layer-http = HTTP
layer-api = API
layer-fine = { $layer }: fine, { $at }
layer-limited = { $layer }: limited, { $reason }, { $at }
layer-failed = { $layer }: { $reason }, { $at }
layer-old = { $layer }: not known now, last seen { $at }
layer-none = { $layer }: not probed

channel-whatsapp = WhatsApp
channel-signal = Signal
channel-telegram = Telegram
channel-sms = SMS
channel-email = E-mail
channel-voice = Voice
channel-messenger = Messenger
channel-imessage = iMessage
channel-satellite = Satellite
channel-matrix = Matrix
channel-mesh = Mesh
channel-webhook = Webhook

severity-extreme = extreme
severity-severe = severe
severity-moderate = moderate
severity-minor = minor
severity-unknown = not said

# === the rest of the panels ===
uplink-label = Own line
uplink-up = { $name } works
uplink-down = { $name } has been down since { $since }
uplink-controls = { $failed } of { $all } controls silent

outages-label = Outages
outages-none = No outage on record.
outage-of-uplink = own line { $name }
outage-of-slice = { $gateway }, for people in { $region }
outage-of-region = the last mile of { $region }
outage-of-domain = all that shares { $domain }
outage-found = found after { $age }
outage-cost = { $n ->
    [one] one attempt failed
   *[other] { $n } attempts failed
  }
going-on = goes on
over = over

happened-label = What happened
happened-none = Nothing worth telling yet.
happened-failover = { $n ->
    [one] One delivery
   *[other] { $n } deliveries
  } from { $from } to { $to }: { $why }
why-wait = no confirmation in time
happened-state = { $gateway } is { $state }
happened-why = { $gateway } is { $state }: { $why }
happened-layer = { $gateway } is { $state } at { $layer }: { $why }
happened-outage-opened = Outage of { $what } declared: { $why }, found after { $age }
happened-outage-turned = Outage of { $from }: it is { $what }
happened-outage-closed = Outage of { $what } over after { $age }
happened-deadline = { $n ->
    [one] One delivery
   *[other] { $n } deliveries
  } of { $message } missed the deadline
happened-uplink-up = Own line { $name } is back
happened-uplink-down = Own line { $name } is down
happened-held = { $who } held { $what }
happened-maintenance = { $who } put { $what } under maintenance
happened-drill = { $who } made { $what } look down for a drill
happened-lifted = { $who } released { $what }
happened-work-over = The planned work or the drill on { $what } is over
happened-everything = everything
drill-title = DRILL
drill-gateway = { $gateway } looks down to drill messages until { $until } · { $who }: { $reason }
drill-gateway-everybody = { $gateway } looks down to everybody until { $until } · { $who }: { $reason }
drill-open = { $n ->
    [one] One delivery of a drill is not settled.
   *[other] { $n } deliveries of a drill are not settled.
  }
drill-what = Every drill message says so. Its figures are kept apart.
drill-tag = DRILL

happened-help = { $people ->
    [one] One person needs help
   *[other] { $people } people need help
  }
help-erased = { $calls ->
    [one] A call for help was closed by an erasure
   *[other] { $calls } calls for help were closed by an erasure
  }
happened-clock = The clock moved by { $by }
happened-policy = Policy { $hash } is in force

open-label = Oldest in flight
open-none = Nothing is waiting.
open-delivery = Delivery
open-age = Age
open-step = Step
open-where = Where
open-deadline = Deadline
open-late = late
standing-waiting = waiting for a gateway
standing-backing_off = before the next try
standing-in_flight = being sent
standing-unconfirmed = awaiting a receipt
severity = Severity

# === lengths of time ===
age-seconds = { $n } s
age-minutes = { $n } min
age-hours = { $n } h
age-days = { $n } d
# As they stand after "after".
age-seconds-after = { $n } s
age-minutes-after = { $n } min
age-hours-after = { $n } h
age-days-after = { $n } d
age-two = { $large } { $small }
list-comma = { ", " }
list-and = { " and " }
list-last = { " and " }

# === reasons ===
reason-not_on_channel = recipient not on this channel
reason-blocked = blocked by the recipient
reason-bad_address = bad address
reason-identity_changed = the recipient's key changed
reason-pair_limit = too many to one recipient
reason-undeliverable = recipient not reachable
reason-content_refused = text refused
reason-template_required = a template is required
reason-no_text = no text for this recipient
reason-credentials = credentials refused
reason-configuration = account or sender wrong
reason-throttled = throttled
reason-quota_exhausted = quota used up
reason-provider_fault = provider's fault
reason-service_down = provider says it is down
reason-dns_nxdomain = name does not exist
reason-dns_servfail = name servers fail
reason-dns_timeout = name servers silent
reason-dns_empty = name without address
reason-tcp_refused = connection refused
reason-tcp_timeout = no connection
reason-tcp_reset = connection reset
reason-unreachable = network unreachable
reason-tls_expired = certificate expired
reason-tls_wrong_name = certificate of another name
reason-tls_untrusted = certificate not trusted
reason-tls_failed = TLS failed
reason-tls_timeout = TLS silent
reason-not_connected = not connected
reason-timeout = no answer
reason-connection_lost = connection lost
reason-receipts_missing = receipts do not come
reason-unreadable = unreadable answer
reason-restart = restarted meanwhile
reason-condition = condition not met
reason-limited = limited by the provider
reason-busy = busy
reason-opted_out = wants nothing more on this channel
reason-erased = was erased on request

notice-again = Still so: { $title }
notice-outage = { $what } is down
notice-outage-turned = It is { $what }
notice-turned-from = Told before as an outage of { $from }.
notice-do-region = To do: phones there do not get messages by any channel. Reach people by radio, loudspeaker or runners; what waits arrives when the network is back.
notice-do-open = To do: ask somebody in { $region } whether the message is there. It is not known yet whether it is the channel or the network there.
notice-do-open-anywhere = To do: ask a recipient whether the message is there. It is not known yet whether it is the channel or the network there.
notice-do-slice = To do: nothing at once. Who can be reached by another channel there is.
notice-do-domain = To do: look at what they share. Other gateways carry on; the outage ends when all of them work again.
notice-outage-since = Since { $since }: { $why }.
notice-outage-over = { $what } works again
notice-outage-lasted = It was down for { $age }.
notice-outage-cost = { $n ->
    [one] One attempt failed by it.
   *[other] { $n } attempts failed by it.
  }
notice-own-line = Our own line { $name }
notice-carries = Wasl sends by { $channels } now.
notice-nothing-carries = Wasl has no channel left that works; messages wait.
notice-waiting = { $n ->
    [0] Nothing waits.
    [one] One delivery waits.
   *[other] { $n } deliveries wait.
  }
notice-nothing-to-do = There is nothing to do.
notice-do-wait = Do: nothing at once. If it lasts, ask the provider.
notice-do-line = Do: look at the line, or ask its provider.
notice-do-credentials = Do: renew the account's key; the provider refuses ours.
notice-do-certificate = Do: have the certificate renewed; nothing is sent to what cannot prove who it is.
notice-do-configuration = Do: correct the gateway in wasl.toml; `wasl probe` shows what is wrong.
notice-no-way-out = No way out: no channel can send
notice-no-way-out-do = Do: tell people by other means, `wasl reach --call-tree` has the numbers; look at the line and the gateways.
notice-one-way-left = Only { $channel } is left
notice-one-way-left-do = Do: repair another channel before this one fails too.
notice-ways-back = Channels carry again
notice-missed = { $n ->
    [one] One delivery of { $message } missed its deadline
   *[other] { $n } deliveries of { $message } missed their deadline
  }
notice-missed-do = Do: see who has not got it, and reach them otherwise.
notice-help-exercise = EXERCISE: { $title }
notice-help-of = They answered message { $message }.
notice-help-of-unknown = No message that they answer is known.
notice-help-who = From: { $who }.
notice-help-at = Last call: { $at }.
notice-help-do = Do: call them or send somebody at once. What they wrote:
notice-help-exercise-do = Do: make sure that it is part of the exercise. What they wrote:
notice-help-erased-did = Whoever called was erased, and is no longer counted among those who need help.
notice-help-erased-do = Do: if somebody is on the way to them, let them go on; else ask whoever erased them. The act on record:
notice-policy = An edit of the files was refused
notice-policy-did = The rules from before it are in force; nothing has stopped.
notice-policy-do = Do: correct the edit; `wasl check` shows every error.
notice-policy-over = The files are in force again
notice-store = Trouble with the store
notice-store-did = Nothing new is accepted; what was accepted is sent.
notice-store-do = Do: make room on the disk, or look at it.
notice-store-over = The store takes messages again
notice-folded = { $n ->
    [one] One more notice was left out
   *[other] { $n } more notices were left out
  }

# The sheet to telephone people from (`wasl reach --call-tree`).
sheet-title = Call sheet
sheet-page = page { $n } of { $of }
sheet-at = Made at { $at }
sheet-unreached = { $n ->
    [one] One person whom no channel reaches
   *[other] { $n } people whom no channel reaches
  }
sheet-everybody = { $n ->
    [one] One person
   *[other] { $n } people
  }
sheet-audience = audience { $name }
sheet-personal = Personal data: keep it with you, destroy it after use.
sheet-left-out = { $n } more are not on this sheet: make one by --audience for them.
sheet-group = region { $region }, team { $sector }, language { $language }
sheet-no-region = unknown
sheet-no-sector = unknown
sheet-no-language = unknown
sheet-no-number = No number is known: go there, or ask somebody near them
sheet-continued = (continued)
sheet-first = call first
sheet-deputy = stands in: { $name }, { $number }
sheet-blanks = caller ______________ time ________ answer _________________________
sheet-nobody = Nobody is to be called.
