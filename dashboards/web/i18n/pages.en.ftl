# The words of the pages beside the overview, in English. `pages.ar.ftl` has the same messages.

nav-label = Pages
nav-deliveries = Deliveries
nav-outages = Outages
nav-operate = Operate
nav-wall = Wall
no-script-still = Without scripts this page stands still; load it again to see it as it is.
ago = { $age } ago
since = since
left = { $share } left
gateways-more = { $n ->
    [one] and one more, not worse than these
   *[other] and { $n } more, none worse than these
  }
outages-more = { $n ->
    [one] and one more that goes on
   *[other] and { $n } more that go on
  }

# === one gateway ===
gateway-now = Now
gateway-layers = Layers, as the probes found them
gateway-evidence = Evidence
gateway-history = History
gateway-receipts = Receipts
gateway-time-out = An attempt may take
gateway-domains = Fails together with
gateway-quota = Quota
below-it = Below it:
receipts-delivered = say that it arrived
receipts-read = say that it arrived and was read
probe = Probe
probe-found = Found
probe-when = When
probe-took = Took
probes-none = Nothing probes it.
probe-fine = fine
probe-limited = limited
probe-noted = noted
probe-failed = failed
probe-old = too old to count
evidence-hint = Each sign of trouble moves a needle up, each good sign down. From the mark on (20 dB) the gateway is in doubt.
evidence-last = Last bad sign
evidence-probes = Probes that fail now
hearsay = What the provider says of itself
hearsay-hint = From its own status page, not from what we saw. A bad word adds at most 10 dB to the needles; a good one takes nothing off.
says-fine = all is well
says-planned = maintenance is planned
says-maintenance = maintenance is going on
says-degraded = degraded
says-partial = partial outage
says-major = major outage
says-nothing = its page cannot be read
canaries = Canaries
canaries-hint = Real messages to accounts of our own. They show what no check does: whether a message arrives.
canary-none = none has come to an end yet
canary-delivered = arrived
canary-missed = was taken and did not arrive
canary-refused = was refused
needle-dead = does not answer
needle-refused = refuses
needle-flaky = loses what it takes

# === the queue ===
queue-label = The queue
queue-open = Open
queue-all-open = All that is open
queue-oldest = Oldest, by severity
queue-ended = Ended since the start
materialising = not yet laid out
result-delivered = delivered
result-acknowledged = acknowledged
result-handed_over = handed over
result-failed = failed
result-cancelled = cancelled
result-expired = expired
result-superseded = superseded
result-open = open
find-label = Find by id
find-go = Find
find-hint = The id of a message, a delivery or an attempt.
find-nothing = No id has this form: 26 letters and digits, then a delivery's number and an attempt's.
found-seek = Deliveries by state, road and incident
found-label = Deliveries found
found-state = State
found-road = Last tried
found-attempts = Attempts
found-any = any
found-meant = real messages
found-exercises = exercises and tests
found-go = Show
found-count = { $n ->
    [one] One delivery, the newest message first.
   *[other] { $n } deliveries, the newest message first.
}
found-none = No delivery on record is like that.
found-none-yet = None among the newest that were looked at. Older ones are looked at next.
messages-label = Newest messages
messages-none = No message on record.
messages-progress = { $ended } of { $n } ended
pages-label = More
pages-shown = { $from } to { $to } of { $n }
pages-before = Earlier
pages-after = Next
pages-older = Older
pages-newest = Newest

# === outages ===
record-label = Outages since the start
record-older = Outages before
record-none = No outage since the start.
record-what = What
record-cause = Cause
record-onset = Since
record-found = Found after
record-end = Until
record-lasted = Lasted
record-cost = Attempts failed
timeline-label = Over time
timeline-none = No outage in this time.
outages-none-open = No outage now.

# === one message ===
message-title = Message
message-facts = What it is
message-id = Id of the message
message-urgency = Urgency
message-status = Real or exercise
message-accepted = Accepted
message-author = Author
message-incident = Incident
message-expires = Worth something until
message-worth = Worth something for
message-expired = over
message-audiences = Audiences
message-template = Template
message-tag = Tag
message-corrects = Corrects
message-corrected-by = Corrected by
message-progress = How far it is
message-sentence = { $n ->
    [one] One delivery: { $arrived } arrived, { $open } open.
   *[other] { $n } deliveries: { $arrived } arrived, { $open } open.
  }
message-late = Late
message-escalated = The contacts for escalation were told.
withdrawn-cancelled = It was cancelled: nothing more leaves.
withdrawn-superseded = It was corrected: nothing more of it leaves.
message-text = Text
message-no-text = It has no text of its own.
message-languages = { $n ->
    [one] In one language: { $languages }.
   *[other] In { $n } languages: { $languages }.
  }
text-show = Show the text
text-fold = Fold the text
deliveries-gone = There is no such delivery, or it is no longer on record.
delivery-untried = Not tried yet.
delivery-duplicated = may have arrived more than once
attempt-sent = Attempt { $attempt }, step { $step }: to
attempt-answered = Attempt { $attempt }, after { $after }: { $what }
attempt-receipt = Receipt for attempt { $attempt }, { $after } after it left: { $what }
outcome-accepted = taken
outcome-rejected = refused
outcome-deferred = put off
outcome-unknown = not known
receipt-failed = failed
receipt-sent = sent on
receipt-delivered = delivered
receipt-read = read
receipt-acknowledged = acknowledged
repeat-after_unknown = again, as the one before may be lost
repeat-after_wait = also, as the wait was over
repeat-together = together with others
repeat-after_failure = again, as the one before failed
why-label = Why this way
why-rule = rule { $rule }, step { $step }, policy { $policy }, at { $at }
why-then = What was thought of it then
why-taken = taken
rank-eligible = could be taken
rank-later_step = only in a later step
rank-doubtful = in doubt
rank-down = down
rank-held = held by hand
rank-maintenance = under maintenance
rank-drill = looked down for a drill
rank-deferred = asked to be left alone
rank-quota_exhausted = quota used up
rank-uplink_down = our own line is down
rank-forbidden = forbidden by the rule
rank-no_address = no address there
rank-refused = had refused it before
rank-removed = no longer configured
urgency-immediate = immediate
urgency-expected = within the hour
urgency-future = later
urgency-past = past
urgency-unknown = not said
status-actual = real
status-exercise = exercise
status-system = for the system
status-test = test

# === to operate ===
operate-acts = Acts
operate-look-only = Your token may look. To act takes the token of a sender or an admin.
operate-not-yours = Your token may not do that.
act-send = Send
act-correct = Correct
act-cancel = Cancel a message
act-hold = Hold
act-release = Release
act-maintenance = Maintenance
act-drill = Drill
act-end-drill = End a drill
hint-send = Nothing is sent before you have seen the forecast and confirmed it.
hint-correct = Other words, to exactly those who may have got the first; for the rest the first is stopped.
hint-cancel = Recalls what was not yet handed to a provider.
hint-hold = Stops a gateway, or everything, until it is released. What is accepted meanwhile is kept.
hint-release = Lets a gateway, or everything, go on.
hint-maintenance = Planned work: the gateway is not used until it is over, and no outage is declared.
hint-drill = A game day: the gateway looks down for a while, so that you see what becomes of the messages. Exercises alone, unless chosen otherwise.
hint-end-drill = Ends a drill before its time.
form-preview = See what it does
form-choose = Choose
form-for-ever = as its rule says; else 1 h for extreme and severe, 24 h for the rest
form-everything = everything
form-how-long = For how long
form-everybody = For everybody: real messages avoid it too
form-contacts = Contacts
form-names-hint = One a line. Audiences by their names, contacts by their ids, as the address book has them.
form-people = Other people
form-people-hint = One a line, up to { $n }, with the country's code: { $number } is for SMS, a mailbox for e-mail. Name any other channel first: WhatsApp { $number }. Commas part one person's addresses.
form-text-ar = Text in Arabic
form-text-en = Text in English
form-characters = { $n ->
    [one] one character
   *[other] { $n } characters
  }
form-reason-hint = It is kept on record with your name. At most { $n } characters.
confirm-send = To be sent
confirm-correct = The correction
confirm-cancel = To be cancelled
confirm-hold = To be held
confirm-release = To be released
confirm-maintenance = Planned work
confirm-drill = Drill
confirm-end-drill = The end of the drill
drill-for = Looks down to
drill-for-exercises = exercises alone
drill-for-everybody = everybody
confirm-effect = What it does
confirm-edit = Change
confirm-sure = I know that nothing can be sent then.
confirm-sure-first = This leaves no gateway. Confirm that too, or change it.
do-send = Send it
do-correct = Correct it
do-cancel = Cancel it
do-hold = Hold
do-release = Release
do-maintenance = Begin
do-drill = Begin the drill
do-end-drill = End the drill
done-hold = Held.
done-release = Released.
done-maintenance = Under maintenance.
done-drill = The drill has begun.
done-end-drill = The drill is over.
done-again = This form was sent before: it was carried out once. The record below tells.
effect-message = { $author } sent it, { $severity }, to { $n ->
    [one] one person
   *[other] { $n } people
  }.
effect-withdrawn = It was withdrawn before: there is nothing to recall.
effect-settled = Every delivery has ended: there is nothing to recall.
effect-cancel = { $n ->
    [one] One delivery is open: if it was not tried yet, it is recalled.
   *[other] { $n } deliveries are open: those not tried yet are recalled.
  }
effect-not-recalled = What a provider holds cannot be recalled.
effect-correct = { $n ->
    [one] One person may have got the first words, and gets these.
   *[other] { $n } people may have got the first words, and get these.
  }
effect-correct-most = { $n ->
    [one] One person at most may have got the first words, and gets these.
   *[other] { $n } people at most may have got the first words, and get these.
  }
effect-correct-nobody = Nobody got the first words yet: they are stopped, and nothing is sent.
effect-correct-languages = { $n ->
    [one] The first words were also in { $languages }, this is not: whoever read that gets another language.
   *[other] The first words were also in { $languages }, this is not: whoever read those gets another language.
  }
effect-supersede = { $n ->
    [one] One open delivery of the first words is stopped.
   *[other] { $n } open deliveries of the first words are stopped.
  }
effect-hold-all = Nothing leaves any more until it is released: { $n ->
    [one] one delivery waits
   *[other] { $n } deliveries wait
  }, and all that comes.
effect-in-flight = { $n ->
    [one] One delivery is in flight and goes on.
   *[other] { $n } deliveries are in flight and go on.
  }
effect-kept = Messages are accepted and kept.
effect-drill-exercises = Exercises and tests go as if this gateway were down.
effect-drill-real = Real messages are not touched: they use it as before.
effect-drill-everybody = Real messages avoid it too, unless nothing else is good.
effect-drill-said = A banner says so on every page until it is over. Its figures are kept apart.
effect-drill-ends = From now on everything uses it again.
effect-no-drill = It is in no drill: nothing changes.
effect-laid-over = It is stopped already, by { $who }: { $reason }
effect-leaves-none = No gateway is left that could be used: { $n ->
    [one] one delivery waits
   *[other] { $n } deliveries wait
  }, and all that comes.
effect-leaves-channel = { $channel } has no gateway then: who is reached by { $channel } alone is not reached.
effect-go-by = { $n ->
    [0] Nothing is waiting; what comes goes by { $channels }, where its rule permits.
    [one] One waiting delivery goes by { $channels }, where its rule permits.
   *[other] { $n } waiting deliveries go by { $channels }, where their rules permit.
  }
effect-flying = { $n ->
    [one] One attempt is out by this gateway; its receipt is still taken.
   *[other] { $n } attempts are out by this gateway; their receipts are still taken.
  }
effect-release = { $n ->
    [0] Nothing is waiting for it.
    [one] One waiting delivery may go on at once.
   *[other] { $n } waiting deliveries may go on at once.
  }
effect-not-held = Nothing stops it: there is nothing to release.
effect-all-held = Everything is held besides: nothing leaves before that is released too.
effect-still-stopped = Still stopped one by one: { $gateways }.
forecast-label = By step, if nothing changes
forecast-people = People
forecast-copies = Copies
forecast-segments = Segments
forecast-cost = Cost
forecast-cost-all = It costs { $cost }.
forecast-all = { $n ->
    [one] It is for one person.
   *[other] It is for { $n } people.
  }
forecast-done = The last is handed over after { $after }, at { $at }.
forecast-nothing = Nothing is handed over.
forecast-ahead = { $n ->
    [one] One delivery as grave or graver goes first.
   *[other] { $n } deliveries as grave or graver go first.
  }
forecast-without = { $n ->
    [one] One person has no address at all.
   *[other] { $n } people have no address at all.
  }
forecast-late = { $n ->
    [one] One is late.
   *[other] { $n } are late.
  }
forecast-lost = { $n ->
    [one] One is not reached
   *[other] { $n } are not reached
  }: { $result }, { $why }.
forecast-no-reason = no gateway may take it
forecast-open = { $n ->
    [one] One could not be forecast.
   *[other] { $n } could not be forecast.
  }

# === what people stopped, and did ===
stopped-label = Stopped by hand
stopped-none = Nothing is stopped.
stopped-what = What
stopped-who = Who
stopped-why = Why
stopped-since = Since
stopped-until = Until
until-released = until it is released
audit-label = Done last
audit-none = Nothing on record.
audit-none-of-late = Nothing among the newest { $n } acts: programs sent messages.
audit-when = When
audit-act = Act
audit-on = On
did-accept = sent
did-acknowledge = saw a notice
did-adopt = took in an older record
did-backup = made a backup
did-call-tree = made a call sheet
did-cancel = cancelled
did-close_help = closed a call for help
did-contacts = imported contacts
did-correct = corrected
did-drill = drill
did-drop_replies = dropped replies
did-erase = erased a person
did-hold = held
did-maintenance = maintenance
did-opt_in = wants messages again
did-opt_out = wants no more messages
did-release = released
did-reload = new files in force
did-reload-refused = new files refused
did-restore = restored
did-silence = silenced a notice
did-start = started
did-token = made a token

# === what went wrong ===
page-none = There is no such page
page-none-why = The address may be mistyped, or what it showed is no longer on record.
way-back = Back to the overview
way-find = Find a message or a delivery by its id
problem-unreadable = The form cannot be read.
problem-unknown-key = The form has a field that nobody knows.
problem-bad-value = Something in the form cannot be used.
problem-no-token = Log in again.
problem-wrong-role = Your token may not do that.
problem-cross-site = The form is of another session. Load the page again.
problem-not-found = There is no such thing.
problem-wrong-method = The form went astray.
problem-too-slow = The form did not come in time.
problem-key-conflict = This form was sent before, with other content.
problem-refused = It cannot be done as things stand.
problem-too-large = It is too large.
problem-wrong-media = The form cannot be read.
problem-wrong-host = This service does not serve that host.
problem-too-many = Too much at once. Come back in a moment.
problem-unavailable = The service cannot answer now. Nothing was done.
problem-disk-full = The disk is full. Nothing was taken.
wrong-reason = Say why.
wrong-to = Say for whom: an audience, a contact of the address book, or somebody's address.
wrong-audience = No contact of the address book belongs to that audience.
wrong-contact = The address book has no such contact, or no address of it.
wrong-gateway = Choose a gateway that there is.
wrong-message = No message has this id.
wrong-people = In “Other people” there is a line that cannot be read.
wrong-text = Write the text in at least one language.
wrong-life = Choose how long.
wrong-severity = Choose how grave it is.
wrong-expires = Its end is past.

# === an outage's report ===
report-title = Outage
report-what = What happened
report-evidence = The evidence of the verdict
report-impact = What it did
report-blame = At fault
blame-channel = the gateway or its channel
blame-region = the region's last mile, whatever the channel
blame-line = our own line
blame-domain = what the gateways share
blame-open = not known yet: the channel, or the network there
sign-none = None was kept.
sign-probes = { $n ->
    [one] One probe failed: { $why }
   *[other] { $n } probes failed: { $why }
  }
sign-probes-layer = { $n ->
    [one] One probe failed, at { $layer }: { $why }
   *[other] { $n } probes failed, the last at { $layer }: { $why }
  }
sign-attempts = { $n ->
    [one] One attempt failed: { $why }
   *[other] { $n } attempts failed: { $why }
  }
sign-receipts = { $gateway }: { $came } receipts came of { $expected } that were due
sign-receipts-region = { $gateway }, { $region }: { $came } receipts came of { $expected } that were due
sign-delivers = { $gateway } delivers: its receipts come
sign-delivers-region = { $gateway } delivers in { $region }: its receipts come
sign-controls = { $failed } of { $of } controls of our line failed
sign-provider = Its provider says so itself
sign-down = { $gateway } is down
report-under-way = Under way
report-reached = Reached
report-rerouted = Re-routed
report-delayed = Later than a minute
report-missed = Not reached
report-open = Still open
report-duplicated = Perhaps twice
report-half = Half within
report-most = 95% within
report-answered = Answered
report-answered-half = Half answered within
report-group = Who
report-none = (none)
report-others = all others
report-sectors = By sector
report-audiences = By audience
report-regions = By region
report-channels = By the channel that reached them
report-into-it = { $n ->
    [0] No attempt went into what was down.
    [one] One attempt went into what was down; { $failed } failed, { $swallowed } were taken and never heard of.
   *[other] { $n } attempts went into what was down; { $failed } failed, { $swallowed } were taken and never heard of.
  }
report-fixed = { $n ->
    [0] A fixed order would have sent no more into it.
    [one] A fixed order would have sent one more attempt into it, waiting { $age }; about { $swallowed } taken and not delivered.
   *[other] A fixed order would have sent { $n } more attempts into it, each waiting { $age }; about { $swallowed } of them taken and not delivered.
  }
report-fixed-unknown = What a fixed order would have done nobody can tell: nothing was tried by what was down.
report-part = This is a part: there were more deliveries than one report counts.
report-note = Deliveries that were under way between the first bad sign and the end; exercises are left out.
