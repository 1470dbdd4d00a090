# كلمات الصفحات الأخرى بالعربية. في `pages.en.ftl` الرسائل نفسها.

nav-label = الصفحات
nav-deliveries = التسليمات
nav-outages = الانقطاعات
nav-operate = التشغيل
nav-wall = شاشة الجدار
no-script-still = هذه الصفحة ثابتة من دون برامج نصية؛ أعد تحميلها لترى الحال الآن.
ago = منذ { $age }
since = منذ
left = بقي { $share }
gateways-more = { $n ->
    [zero] ولا غيرها
    [one] وواحدة أخرى ليست أسوأ حالًا
    [two] واثنتان أخريان ليستا أسوأ حالًا
    [few] و{ $n } أخرى ليست أسوأ حالًا
    [many] و{ $n } أخرى ليست أسوأ حالًا
   *[other] و{ $n } أخرى ليست أسوأ حالًا
  }
outages-more = { $n ->
    [zero] ولا غيرها
    [one] وانقطاع آخر مستمر
    [two] وانقطاعان آخران مستمران
    [few] و{ $n } انقطاعات أخرى مستمرة
    [many] و{ $n } انقطاعًا آخر مستمرًا
   *[other] و{ $n } انقطاع آخر مستمر
  }

# === بوابة واحدة ===
gateway-now = الآن
gateway-layers = الطبقات كما وجدتها الفحوص
gateway-evidence = الأدلة
gateway-history = السجل
gateway-receipts = الإشعارات
gateway-time-out = أقصى مدة للمحاولة
gateway-domains = تتعطل مع
gateway-quota = الحصة
below-it = حالتها في الأصل:
receipts-delivered = تخبر بالوصول
receipts-read = تخبر بالوصول والقراءة
probe = الفحص
probe-found = النتيجة
probe-when = متى
probe-took = المدة
probes-none = لا شيء يفحصها.
probe-fine = سليم
probe-limited = محدود
probe-noted = ملاحظة
probe-failed = فشل
probe-old = أقدم من أن يُعتد به
evidence-hint = كل علامة سوء ترفع مؤشرًا وكل علامة خير تخفضه. من العلامة (20 dB) فما فوق تصبح البوابة موضع شك.
evidence-last = آخر علامة سوء
evidence-probes = فحوص تفشل الآن
hearsay = ما يقوله المزوّد عن نفسه
hearsay-hint = هذا من صفحة حالة المزوّد، لا مما رصدناه نحن. كلمة السوء تضيف إلى المؤشرات (10 dB) على الأكثر، وكلمة الخير لا تخفض منها شيئًا.
says-fine = كل شيء على ما يرام
says-planned = صيانة مقرّرة
says-maintenance = صيانة جارية
says-degraded = أداء متراجع
says-partial = انقطاع جزئي
says-major = انقطاع كبير
says-nothing = تعذّرت قراءة صفحته
canaries = رسائل الفحص
canaries-hint = رسائل حقيقية إلى حسابات لنا. تُظهر ما لا يظهره أي فحص آخر: هل تصل الرسالة فعلًا.
canary-none = لم تنتهِ أي رسالة فحص بعد
canary-delivered = وصلت
canary-missed = قُبلت ولم تصل
canary-refused = رُفضت
needle-dead = لا تجيب
needle-refused = ترفض
needle-flaky = تفقد ما تأخذه

# === الطابور ===
queue-label = الطابور
queue-open = المفتوحة
queue-all-open = كل ما هو مفتوح
queue-oldest = الأقدم بحسب الخطورة
queue-ended = المنتهية منذ البدء
materialising = لم تُفصَّل بعد
result-delivered = وصلت
result-acknowledged = أُقرّ بها
result-handed_over = سُلّمت للمزوّد
result-failed = فشلت
result-cancelled = أُلغيت
result-expired = انتهت مهلتها
result-superseded = حلّ تصحيح محلها
result-open = مفتوحة
find-label = ابحث بالمعرّف
find-go = ابحث
find-hint = معرّف رسالة أو تسليم أو محاولة.
find-nothing = ليس هذا شكل معرّف: 26 حرفًا ورقمًا، ثم رقم التسليم ورقم المحاولة.
found-seek = التسليمات بحسب الحالة والطريق والحادثة
found-label = التسليمات المطابقة
found-state = الحالة
found-road = آخر طريق
found-attempts = المحاولات
found-any = الكل
found-meant = فعلية
found-exercises = تمارين واختبارات
found-go = اعرض
found-count = { $n ->
    [one] تسليم واحد، والأحدث أولًا.
    [two] تسليمان، والأحدث أولًا.
    [few] { $n } تسليمات، والأحدث أولًا.
    [many] { $n } تسليمًا، والأحدث أولًا.
   *[other] { $n } تسليم، والأحدث أولًا.
}
found-none = ما من تسليم مسجل بهذه الصفة.
found-none-yet = لا شيء بهذه الصفة في أحدث ما فُحص. وما قبله يُفحص تاليًا.
messages-label = أحدث الرسائل
messages-none = لا رسالة مسجلة.
messages-progress = انتهى { $ended } من { $n }
pages-label = المزيد
pages-shown = من { $from } إلى { $to } من أصل { $n }
pages-before = السابق
pages-after = التالي
pages-older = الأقدم
pages-newest = الأحدث

# === الانقطاعات ===
record-label = الانقطاعات منذ البدء
record-older = انقطاعات أسبق
record-none = لا انقطاع منذ البدء.
record-what = ماذا
record-cause = السبب
record-onset = منذ
record-found = اكتُشف بعد
record-end = حتى
record-lasted = دام
record-cost = محاولات فاشلة
timeline-label = على مر الوقت
timeline-none = لا انقطاع في هذه المدة.
outages-none-open = لا انقطاع الآن.

# === رسالة واحدة ===
message-title = رسالة
message-facts = ما هي
message-id = معرّف الرسالة
message-urgency = الاستعجال
message-status = فعلية أم تمرين
message-accepted = قُبلت
message-author = الكاتب
message-incident = الحادثة
message-expires = تصلح حتى
message-worth = تصلح لمدة
message-expired = انتهت
message-audiences = المجموعات
message-template = القالب
message-tag = وسم
message-corrects = تصحّح
message-corrected-by = صُحّحت بـ
message-progress = إلى أين وصلت
message-sentence = { $n ->
    [zero] لا تسليمات.
    [one] تسليم واحد: وصل { $arrived }، مفتوح { $open }.
    [two] تسليمان: وصل { $arrived }، مفتوح { $open }.
    [few] { $n } تسليمات: وصل { $arrived }، مفتوح { $open }.
    [many] { $n } تسليمًا: وصل { $arrived }، مفتوح { $open }.
   *[other] { $n } تسليم: وصل { $arrived }، مفتوح { $open }.
  }
message-late = متأخرة
message-escalated = أُبلغ من يُصعَّد إليهم.
withdrawn-cancelled = أُلغيت: لا يخرج منها شيء بعد الآن.
withdrawn-superseded = صُحّحت: لا يخرج من الأولى شيء بعد الآن.
message-text = النص
message-no-text = ليس لها نص خاص.
message-languages = { $n ->
    [zero] بلا لغة: { $languages }.
    [one] بلغة واحدة: { $languages }.
    [two] بلغتين: { $languages }.
    [few] بـ{ $n } لغات: { $languages }.
    [many] بـ{ $n } لغة: { $languages }.
   *[other] بـ{ $n } لغة: { $languages }.
  }
text-show = أظهر النص
text-fold = اطوِ النص
deliveries-gone = لا يوجد تسليم كهذا، أو لم يعد مسجلًا.
delivery-untried = لم تُجرَّب بعد.
delivery-duplicated = ربما وصلت أكثر من مرة
attempt-sent = المحاولة { $attempt }، الخطوة { $step }: إلى
attempt-answered = المحاولة { $attempt }، بعد { $after }: { $what }
attempt-receipt = إشعار بالمحاولة { $attempt }، بعد خروجها بـ{ $after }: { $what }
outcome-accepted = أُخذت
outcome-rejected = رُفضت
outcome-deferred = أُجّلت
outcome-unknown = غير معروف
receipt-failed = فشلت
receipt-sent = أُرسلت
receipt-delivered = وصلت
receipt-read = قُرئت
receipt-acknowledged = أُقرّ بها
repeat-after_unknown = مرة أخرى، فقد تكون السابقة ضاعت
repeat-after_wait = إضافة، فقد انتهى الانتظار
repeat-together = مع غيرها
repeat-after_failure = مرة أخرى، فقد فشلت السابقة
why-label = لماذا هذا الطريق
why-rule = القاعدة { $rule }، الخطوة { $step }، السياسة { $policy }، عند { $at }
why-then = ما عُرف عنها حينئذ
why-taken = أُخذت
rank-eligible = كانت صالحة
rank-later_step = في خطوة لاحقة فقط
rank-doubtful = موضع شك
rank-down = متوقفة
rank-held = موقوفة بأمر
rank-maintenance = تحت الصيانة
rank-drill = بدت متوقفة في تمرين
rank-deferred = طلبت التمهل
rank-quota_exhausted = نفدت حصتها
rank-uplink_down = خطنا متوقف
rank-forbidden = تمنعها القاعدة
rank-no_address = لا عنوان عليها
rank-refused = رفضتها من قبل
rank-removed = لم تعد مهيأة
urgency-immediate = فوري
urgency-expected = خلال ساعة
urgency-future = لاحقًا
urgency-past = مضى
urgency-unknown = غير محدد
status-actual = فعلية
status-exercise = تمرين
status-system = للنظام
status-test = اختبار

# === التشغيل ===
operate-acts = الأعمال
operate-look-only = رمزك للاطلاع فقط. العمل يحتاج رمز مُرسِل أو مدير.
operate-not-yours = رمزك لا يسمح بذلك.
act-send = أرسل
act-correct = صحّح
act-cancel = ألغِ رسالة
act-hold = أوقف
act-release = أعد التشغيل
act-maintenance = صيانة
act-drill = تمرين
act-end-drill = أنهِ تمرينًا
hint-send = لا يُرسل شيء قبل أن ترى التوقع وتؤكده.
hint-correct = كلمات أخرى، لمن قد تكون الأولى وصلتهم بالضبط؛ وتُوقف الأولى عن الباقين.
hint-cancel = يسحب ما لم يُسلّم لمزوّد بعد.
hint-hold = يوقف بوابة، أو كل شيء، حتى يُعاد التشغيل. وما يُقبل في الأثناء يُحفظ.
hint-release = يعيد تشغيل بوابة، أو كل شيء.
hint-maintenance = عمل مخطط: لا تُستعمل البوابة حتى ينتهي، ولا يُعلن انقطاع.
hint-drill = يوم تمرين: تبدو البوابة متوقفة مدة، لترى ما يصير إليه حال الرسائل. لرسائل التمرين وحدها، ما لم تختر غير ذلك.
hint-end-drill = ينهي تمرينًا قبل موعده.
form-preview = اعرض ما سيحدث
form-choose = اختر
form-for-ever = كما تقول قاعدتها، وإلا فساعة للقصوى والشديدة، و24 ساعة لغيرهما
form-everything = كل شيء
form-how-long = لكم من الوقت
form-everybody = للجميع: الرسائل الفعلية تتجنبها أيضًا
form-contacts = جهات الاتصال
form-names-hint = واحد في كل سطر. المجموعات بأسمائها وجهات الاتصال بمعرّفاتها، كما في دفتر العناوين.
form-people = أشخاص آخرون
form-people-hint = شخص في كل سطر، حتى { $n }، والرقم برمز بلده: { $number } وحده للرسائل القصيرة، وعنوان البريد وحده للبريد الإلكتروني. لغير ذلك اكتب القناة أولًا: واتساب { $number }. تفصل الفاصلة بين عناوين الشخص الواحد.
form-text-ar = النص بالعربية
form-text-en = النص بالإنجليزية
form-characters = { $n ->
    [zero] بلا أحرف
    [one] حرف واحد
    [two] حرفان
    [few] { $n } أحرف
    [many] { $n } حرفًا
   *[other] { $n } حرف
  }
form-reason-hint = يُسجَّل مع اسمك. { $n } حرف على الأكثر.
confirm-send = ما سيُرسل
confirm-correct = التصحيح
confirm-cancel = ما سيُلغى
confirm-hold = ما سيُوقف
confirm-release = ما سيُعاد تشغيله
confirm-maintenance = عمل مخطط
confirm-drill = تمرين
confirm-end-drill = نهاية التمرين
drill-for = تبدو متوقفة
drill-for-exercises = لرسائل التمرين وحدها
drill-for-everybody = للجميع
confirm-effect = ما سيحدث
confirm-edit = عدّل
confirm-sure = أعلم أنه لن يمكن إرسال شيء حينئذ.
confirm-sure-first = هذا لا يُبقي أي بوابة. أكّد ذلك أيضًا أو عدّله.
do-send = أرسلها
do-correct = صحّحها
do-cancel = ألغِها
do-hold = أوقف
do-release = أعد التشغيل
do-maintenance = ابدأ
do-drill = ابدأ التمرين
do-end-drill = أنهِ التمرين
done-hold = أُوقف.
done-release = أُعيد التشغيل.
done-maintenance = تحت الصيانة.
done-drill = بدأ التمرين.
done-end-drill = انتهى التمرين.
done-again = أُرسلت هذه الاستمارة من قبل ونُفّذت مرة واحدة. انظر السجل أدناه.
effect-message = أرسلها { $author }، خطورتها { $severity }، إلى { $n ->
    [zero] لا أحد
    [one] شخص واحد
    [two] شخصين
    [few] { $n } أشخاص
    [many] { $n } شخصًا
   *[other] { $n } شخص
  }.
effect-withdrawn = سُحبت من قبل: لا شيء يُسحب.
effect-settled = انتهى كل تسليم: لا شيء يُسحب.
effect-cancel = { $n ->
    [zero] لا تسليم مفتوح.
    [one] تسليم واحد مفتوح: يُسحب إن لم يُجرَّب بعد.
    [two] تسليمان مفتوحان: يُسحب ما لم يُجرَّب منهما بعد.
    [few] { $n } تسليمات مفتوحة: يُسحب ما لم يُجرَّب منها بعد.
    [many] { $n } تسليمًا مفتوحًا: يُسحب ما لم يُجرَّب منها بعد.
   *[other] { $n } تسليم مفتوح: يُسحب ما لم يُجرَّب منها بعد.
  }
effect-not-recalled = ما عند المزوّد لا يمكن سحبه.
effect-correct = { $n ->
    [zero] لم تصل الكلمات الأولى أحدًا.
    [one] شخص واحد قد تكون الكلمات الأولى وصلته، وتصله هذه.
    [two] شخصان قد تكون الكلمات الأولى وصلتهما، وتصلهما هذه.
    [few] { $n } أشخاص قد تكون الكلمات الأولى وصلتهم، وتصلهم هذه.
    [many] { $n } شخصًا قد تكون الكلمات الأولى وصلتهم، وتصلهم هذه.
   *[other] { $n } شخص قد تكون الكلمات الأولى وصلتهم، وتصلهم هذه.
  }
effect-correct-most = { $n ->
    [zero] لم تصل الكلمات الأولى أحدًا.
    [one] شخص واحد على الأكثر قد تكون الكلمات الأولى وصلته، وتصله هذه.
    [two] شخصان على الأكثر قد تكون الكلمات الأولى وصلتهما، وتصلهما هذه.
    [few] { $n } أشخاص على الأكثر قد تكون الكلمات الأولى وصلتهم، وتصلهم هذه.
    [many] { $n } شخصًا على الأكثر قد تكون الكلمات الأولى وصلتهم، وتصلهم هذه.
   *[other] { $n } شخص على الأكثر قد تكون الكلمات الأولى وصلتهم، وتصلهم هذه.
  }
effect-correct-nobody = لم تصل الكلمات الأولى أحدًا بعد: تُوقف ولا يُرسل شيء.
effect-correct-languages = { $n ->
    [zero] النص الأول بلغات أخرى أيضًا: { $languages }.
    [one] كان النص الأول باللغة { $languages } أيضًا، وليس هذا بها: من قرأه بها تصله لغة أخرى.
    [two] كان النص الأول باللغتين { $languages } أيضًا، وليس هذا بهما: من قرأه بهما تصله لغة أخرى.
    [few] كان النص الأول باللغات { $languages } أيضًا، وليس هذا بها: من قرأه بها تصله لغة أخرى.
    [many] كان النص الأول باللغات { $languages } أيضًا، وليس هذا بها: من قرأه بها تصله لغة أخرى.
   *[other] كان النص الأول باللغات { $languages } أيضًا، وليس هذا بها: من قرأه بها تصله لغة أخرى.
  }
effect-supersede = { $n ->
    [zero] لا تسليم مفتوح من الأولى.
    [one] يُوقف تسليم مفتوح واحد من الأولى.
    [two] يُوقف تسليمان مفتوحان من الأولى.
    [few] تُوقف { $n } تسليمات مفتوحة من الأولى.
    [many] يُوقف { $n } تسليمًا مفتوحًا من الأولى.
   *[other] يُوقف { $n } تسليم مفتوح من الأولى.
  }
effect-hold-all = لا يخرج شيء حتى يُعاد التشغيل: { $n ->
    [zero] لا تسليم ينتظر الآن
    [one] ينتظر تسليم واحد
    [two] ينتظر تسليمان
    [few] تنتظر { $n } تسليمات
    [many] ينتظر { $n } تسليمًا
   *[other] ينتظر { $n } تسليم
  }، وكل ما يأتي.
effect-in-flight = { $n ->
    [zero] لا تسليم جارٍ.
    [one] تسليم واحد جارٍ ويستمر.
    [two] تسليمان جاريان ويستمران.
    [few] { $n } تسليمات جارية وتستمر.
    [many] { $n } تسليمًا جاريًا وتستمر.
   *[other] { $n } تسليم جارٍ وتستمر.
  }
effect-kept = تُقبل الرسائل وتُحفظ.
effect-drill-exercises = تسير رسائل التمرين والاختبار كأن هذه البوابة متوقفة.
effect-drill-real = لا تُمسّ الرسائل الفعلية: تستعملها كما كانت.
effect-drill-everybody = الرسائل الفعلية تتجنبها أيضًا، ما دامت بوابة أخرى صالحة.
effect-drill-said = تقول ذلك لافتة في كل صفحة حتى ينتهي. وأرقامه محفوظة على حدة.
effect-drill-ends = من الآن يستعملها كل شيء من جديد.
effect-no-drill = ليست في تمرين: لا يتغير شيء.
effect-laid-over = هي موقوفة من قبل، أوقفها { $who }: { $reason }
effect-leaves-none = لا تبقى بوابة يمكن استعمالها: { $n ->
    [zero] لا تسليم ينتظر الآن
    [one] ينتظر تسليم واحد
    [two] ينتظر تسليمان
    [few] تنتظر { $n } تسليمات
    [many] ينتظر { $n } تسليمًا
   *[other] ينتظر { $n } تسليم
  }، وكل ما يأتي.
effect-leaves-channel = لا تبقى لقناة { $channel } بوابة: من لا يُوصل إليه إلا عبر { $channel } لا يصله شيء.
effect-go-by = { $n ->
    [0] لا شيء ينتظر؛ وما يأتي يذهب عبر { $channels } حيث تسمح قاعدته.
    [zero] لا شيء ينتظر؛ وما يأتي يذهب عبر { $channels } حيث تسمح قاعدته.
    [one] تسليم واحد ينتظر ويذهب عبر { $channels } حيث تسمح قاعدته.
    [two] تسليمان ينتظران ويذهبان عبر { $channels } حيث تسمح القواعد.
    [few] { $n } تسليمات تنتظر وتذهب عبر { $channels } حيث تسمح القواعد.
    [many] { $n } تسليمًا ينتظر ويذهب عبر { $channels } حيث تسمح القواعد.
   *[other] { $n } تسليم ينتظر ويذهب عبر { $channels } حيث تسمح القواعد.
  }
effect-flying = { $n ->
    [zero] لا محاولة خارجة عبر هذه البوابة.
    [one] محاولة واحدة خارجة عبر هذه البوابة، ويُقبل إشعارها.
    [two] محاولتان خارجتان عبر هذه البوابة، ويُقبل إشعارهما.
    [few] { $n } محاولات خارجة عبر هذه البوابة، وتُقبل إشعاراتها.
    [many] { $n } محاولة خارجة عبر هذه البوابة، وتُقبل إشعاراتها.
   *[other] { $n } محاولة خارجة عبر هذه البوابة، وتُقبل إشعاراتها.
  }
effect-release = { $n ->
    [0] لا شيء ينتظر ذلك.
    [zero] لا شيء ينتظر ذلك.
    [one] تسليم واحد ينتظر وقد يمضي في الحال.
    [two] تسليمان ينتظران وقد يمضيان في الحال.
    [few] { $n } تسليمات تنتظر وقد تمضي في الحال.
    [many] { $n } تسليمًا ينتظر وقد يمضي في الحال.
   *[other] { $n } تسليم ينتظر وقد يمضي في الحال.
  }
effect-not-held = لا شيء يوقفه: لا حاجة إلى إعادة تشغيل.
effect-all-held = كل شيء موقوف أيضًا: لا يخرج شيء قبل أن يُرفع ذلك.
effect-still-stopped = يبقى موقوفًا على حدة: { $gateways }.
forecast-label = بحسب الخطوة، إن لم يتغير شيء
forecast-people = أشخاص
forecast-copies = نسخ
forecast-segments = مقاطع
forecast-cost = الكلفة
forecast-cost-all = كلفتها { $cost }.
forecast-all = { $n ->
    [zero] ليست لأحد.
    [one] هي لشخص واحد.
    [two] هي لشخصين.
    [few] هي لـ{ $n } أشخاص.
    [many] هي لـ{ $n } شخصًا.
   *[other] هي لـ{ $n } شخص.
  }
forecast-done = تُسلّم الأخيرة بعد { $after }، عند { $at }.
forecast-nothing = لا يُسلّم شيء.
forecast-ahead = { $n ->
    [zero] لا شيء قبلها.
    [one] يسبقها تسليم واحد مثلها في الخطورة أو أشد.
    [two] يسبقها تسليمان مثلها في الخطورة أو أشد.
    [few] تسبقها { $n } تسليمات مثلها في الخطورة أو أشد.
    [many] يسبقها { $n } تسليمًا مثلها في الخطورة أو أشد.
   *[other] يسبقها { $n } تسليم مثلها في الخطورة أو أشد.
  }
forecast-without = { $n ->
    [zero] للجميع عنوان.
    [one] شخص واحد لا عنوان له.
    [two] شخصان لا عنوان لهما.
    [few] { $n } أشخاص لا عنوان لهم.
    [many] { $n } شخصًا لا عنوان لهم.
   *[other] { $n } شخص لا عنوان لهم.
  }
forecast-late = { $n ->
    [zero] لا تأخر.
    [one] واحدة تتأخر.
    [two] اثنتان تتأخران.
    [few] { $n } تتأخر.
    [many] { $n } تتأخر.
   *[other] { $n } تتأخر.
  }
forecast-lost = { $n ->
    [zero] الجميع يُوصل إليهم
    [one] شخص واحد لا يُوصل إليه
    [two] شخصان لا يُوصل إليهما
    [few] { $n } أشخاص لا يُوصل إليهم
    [many] { $n } شخصًا لا يُوصل إليهم
   *[other] { $n } شخص لا يُوصل إليهم
  }: { $result }، { $why }.
forecast-no-reason = لا بوابة يجوز لها أخذها
forecast-open = { $n ->
    [zero] كل شيء متوقع.
    [one] واحدة تعذر توقعها.
    [two] اثنتان تعذر توقعهما.
    [few] { $n } تعذر توقعها.
    [many] { $n } تعذر توقعها.
   *[other] { $n } تعذر توقعها.
  }

# === ما أُوقف وما جرى ===
stopped-label = موقوف بأمر
stopped-none = لا شيء موقوف.
stopped-what = ماذا
stopped-who = من
stopped-why = لماذا
stopped-since = منذ
stopped-until = حتى
until-released = حتى يُعاد التشغيل
audit-label = آخر الأعمال
audit-none = لا شيء مسجل.
audit-none-of-late = لا شيء في آخر { $n } من الأعمال: كلها رسائل أرسلتها برامج.
audit-when = متى
audit-act = العمل
audit-on = على
did-accept = إرسال
did-acknowledge = اطلاع على تنبيه
did-adopt = ضم سجل أقدم
did-backup = نسخة احتياطية
did-call-tree = ورقة الاتصال
did-cancel = إلغاء
did-close_help = إغلاق طلب مساعدة
did-contacts = استيراد جهات اتصال
did-correct = تصحيح
did-drill = تمرين
did-drop_replies = إسقاط ردود
did-erase = محو بيانات شخص
did-hold = إيقاف
did-maintenance = صيانة
did-opt_in = عودة إلى تلقي الرسائل
did-opt_out = رفض تلقي الرسائل
did-release = إعادة تشغيل
did-reload = ملفات جديدة سارية
did-reload-refused = رفض ملفات جديدة
did-restore = استعادة
did-silence = إسكات تنبيه
did-start = بدء التشغيل
did-token = رمز جديد

# === ما لم ينجح ===
page-none = لا توجد صفحة كهذه
page-none-why = قد يكون في العنوان خطأ، أو أن ما كان فيه لم يعد في السجل.
way-back = العودة إلى النظرة العامة
way-find = ابحث عن رسالة أو تسليم بالمعرّف
problem-unreadable = لا يمكن قراءة الاستمارة.
problem-unknown-key = في الاستمارة حقل لا يُعرف.
problem-bad-value = في الاستمارة ما لا يمكن استعماله.
problem-no-token = سجّل الدخول من جديد.
problem-wrong-role = رمزك لا يسمح بذلك.
problem-cross-site = الاستمارة من جلسة أخرى. أعد تحميل الصفحة.
problem-not-found = لا يوجد شيء كهذا.
problem-wrong-method = ضلّت الاستمارة طريقها.
problem-too-slow = لم تصل الاستمارة في الوقت.
problem-key-conflict = أُرسلت هذه الاستمارة من قبل بمحتوى آخر.
problem-refused = لا يمكن ذلك والحال هذه.
problem-too-large = أكبر مما ينبغي.
problem-wrong-media = لا يمكن قراءة الاستمارة.
problem-wrong-host = هذه الخدمة لا تخدم هذا المضيف.
problem-too-many = كثير في وقت واحد. عد بعد لحظة.
problem-unavailable = لا تستطيع الخدمة الجواب الآن. لم يُنفّذ شيء.
problem-disk-full = القرص ممتلئ. لم يُؤخذ شيء.
wrong-reason = قل لماذا.
wrong-to = قل لمن: مجموعة، أو جهة اتصال من دفتر العناوين، أو عنوان شخص.
wrong-audience = لا أحد في دفتر العناوين ينتمي إلى هذه المجموعة.
wrong-contact = جهة الاتصال هذه ليست في دفتر العناوين، أو ليس لها عنوان.
wrong-gateway = اختر بوابة موجودة.
wrong-message = لا توجد رسالة بهذا المعرّف.
wrong-people = في «أشخاص آخرون» سطر لا يُقرأ.
wrong-text = اكتب النص بلغة واحدة على الأقل.
wrong-life = اختر المدة.
wrong-severity = اختر الخطورة.
wrong-expires = نهايتها مضت.

# === تقرير الانقطاع ===
report-title = انقطاع
report-what = ماذا حدث
report-evidence = أدلة الحكم
report-impact = أثره
report-blame = موضع العطل
blame-channel = البوابة أو قناتها
blame-region = شبكة الوصول الأخيرة في المنطقة، أيًّا كانت القناة
blame-line = خطنا نحن
blame-domain = ما تشترك فيه البوابات
blame-open = لم يُعرف بعد: القناة أم الشبكة هناك
sign-none = لم يُحفظ منها شيء.
sign-probes = { $n ->
    [one] فشل فحص واحد: { $why }
    [two] فشل فحصان: { $why }
    [few] فشلت { $n } فحوص: { $why }
    [many] فشل { $n } فحصًا: { $why }
   *[other] فشل { $n } فحص: { $why }
  }
sign-probes-layer = { $n ->
    [one] فشل فحص واحد عند { $layer }: { $why }
    [two] فشل فحصان، آخرهما عند { $layer }: { $why }
    [few] فشلت { $n } فحوص، آخرها عند { $layer }: { $why }
    [many] فشل { $n } فحصًا، آخرها عند { $layer }: { $why }
   *[other] فشل { $n } فحص، آخرها عند { $layer }: { $why }
  }
sign-attempts = { $n ->
    [one] فشلت محاولة واحدة: { $why }
    [two] فشلت محاولتان: { $why }
    [few] فشلت { $n } محاولات: { $why }
    [many] فشلت { $n } محاولة: { $why }
   *[other] فشلت { $n } محاولة: { $why }
  }
sign-receipts = { $gateway }: وصل { $came } من إيصالات كان يُنتظر منها { $expected }
sign-receipts-region = { $gateway }، { $region }: وصل { $came } من إيصالات كان يُنتظر منها { $expected }
sign-delivers = { $gateway } توصل الرسائل: إيصالاتها تأتي
sign-delivers-region = { $gateway } توصل الرسائل في { $region }: إيصالاتها تأتي
sign-controls = فشل { $failed } من أصل { $of } من نقاط ضبط خطنا
sign-provider = المزوّد نفسه يقول ذلك
sign-down = { $gateway } متوقفة
report-under-way = قيد الإرسال
report-reached = وصلت
report-rerouted = حُوّلت إلى طريق آخر
report-delayed = بعد أكثر من دقيقة
report-missed = لم تصل
report-open = ما زالت مفتوحة
report-duplicated = ربما مرتين
report-half = نصفها خلال
report-most = 95% منها خلال
report-answered = أجابوا
report-answered-half = نصف الأجوبة خلال
report-group = من
report-none = (بلا)
report-others = سائرها
report-sectors = حسب القطاع
report-audiences = حسب المجموعة
report-regions = حسب المنطقة
report-channels = حسب القناة التي أوصلت
report-into-it = { $n ->
    [0] لم تذهب أي محاولة إلى ما كان متوقفًا.
    [one] ذهبت محاولة واحدة إلى ما كان متوقفًا؛ فشل { $failed }، وقُبل { $swallowed } ولم يُعرف مصيره.
    [two] ذهبت محاولتان إلى ما كان متوقفًا؛ فشل { $failed }، وقُبل { $swallowed } ولم يُعرف مصيره.
    [few] ذهبت { $n } محاولات إلى ما كان متوقفًا؛ فشل { $failed }، وقُبل { $swallowed } ولم يُعرف مصيره.
    [many] ذهبت { $n } محاولة إلى ما كان متوقفًا؛ فشل { $failed }، وقُبل { $swallowed } ولم يُعرف مصيره.
   *[other] ذهبت { $n } محاولة إلى ما كان متوقفًا؛ فشل { $failed }، وقُبل { $swallowed } ولم يُعرف مصيره.
  }
report-fixed = { $n ->
    [0] لم يكن الترتيب الثابت ليرسل إليه مزيدًا.
    [one] كان الترتيب الثابت سيرسل إليه محاولة أخرى تنتظر { $age }؛ ويُقبل نحو { $swallowed } ولا يصل.
    [two] كان الترتيب الثابت سيرسل إليه محاولتين أخريين تنتظر كل منهما { $age }؛ ويُقبل نحو { $swallowed } ولا يصل.
    [few] كان الترتيب الثابت سيرسل إليه { $n } محاولات أخرى تنتظر كل منها { $age }؛ ويُقبل نحو { $swallowed } منها ولا يصل.
    [many] كان الترتيب الثابت سيرسل إليه { $n } محاولة أخرى تنتظر كل منها { $age }؛ ويُقبل نحو { $swallowed } منها ولا يصل.
   *[other] كان الترتيب الثابت سيرسل إليه { $n } محاولة أخرى تنتظر كل منها { $age }؛ ويُقبل نحو { $swallowed } منها ولا يصل.
  }
report-fixed-unknown = ما كان الترتيب الثابت ليفعله لا يُعرف: لم تُجرَّب أي محاولة عبر ما كان متوقفًا.
report-part = هذا جزء: التسليمات أكثر مما يعدّه تقرير واحد.
report-note = التسليمات التي كانت قيد الإرسال بين أول علامة سيئة والنهاية؛ ولا تُحسب التمارين.
