# كلمات الصفحة بالعربية. الرسائل هي نفسها في `en.ftl`، واختبار يضمن ذلك.

app-name = وصل
app-tagline = رسائل الطوارئ عبر القناة التي تعمل
overview = نظرة عامة
skip = انتقل إلى المحتوى
language-other = English
digits-label = شكل الأرقام
as-of = حتى
stale-since = بيانات قديمة منذ
stale = بيانات قديمة
paused = متوقف مؤقتًا
pause = إيقاف مؤقت
resume = متابعة
logout = خروج
login-title = تسجيل الدخول
login-token = الرمز
login-hint = الصق الرمز الذي أعطاك إياه المسؤول. يُستبدل بجلسة لهذا المتصفح ولا يُحفظ هنا.
login-enter = دخول
login-wrong = هذا الرمز غير معروف هنا.
login-wait = محاولات خاطئة كثيرة. حاول مجددًا بعد { $secs ->
    [zero] { $secs } ثانية
    [one] ثانية واحدة
    [two] ثانيتين
    [few] { $secs } ثوانٍ
    [many] { $secs } ثانية
   *[other] { $secs } ثانية
  }.
no-script = تتجدد هذه الصفحة كل 15 ثانية. مع تشغيل البرامج النصية تصبح مباشرة.
footer-policy = السياسة { $hash }
footer-version = وصل { $version }

# === الجملة ===
verdict-label = في جملة واحدة
verdict-held = كل شيء موقوف بأمر: لا يخرج شيء.
verdict-no-gateways = لا توجد بوابة مهيأة: لا يمكن إرسال شيء.
verdict-silent = لا توجد قناة صالحة للاستخدام الآن.
verdict-quiet = لا شيء في الانتظار.
verdict-in-time = { $n ->
    [zero] لا تسليمات جارية.
    [one] تسليم واحد جارٍ ضمن المهلة.
    [two] تسليمان جاريان ضمن المهلة.
    [few] كل التسليمات الـ{ $n } ضمن المهلة.
    [many] كل التسليمات الـ{ $n } ضمن المهلة.
   *[other] كل التسليمات الـ{ $n } ضمن المهلة.
  }
verdict-late = { $late ->
    [zero] لا تسليمات متأخرة
    [one] تسليم واحد متأخر
    [two] تسليمان متأخران
    [few] { $late } تسليمات متأخرة
    [many] { $late } تسليمًا متأخرًا
   *[other] { $late } تسليم متأخر
  }، من أصل { $n } جارية.
verdict-uplink-down = خطنا { $uplinks } متوقف.
verdict-channel-down = قناة { $channel } متوقفة منذ { $since } ({ $cause }).
verdict-channel-down-plain = قناة { $channel } متوقفة.
verdict-channel-doubt = قناة { $channel } موضع شك.
verdict-channel-throttled = قناة { $channel } تنتظر حتى { $until }: طلب مزوّدوها التمهل.
verdict-channel-closed = قناة { $channel } خارج الاستخدام: موقوف بأمر أو تحت الصيانة.
verdict-carry = { $n ->
    [zero] لا قناة تحمل الرسائل.
    [one] قناة { $channels } تحمل الرسائل.
    [two] { $channels } تحملان الرسائل.
    [few] { $channels } تحمل الرسائل.
    [many] { $channels } تحمل الرسائل.
   *[other] { $channels } تحمل الرسائل.
  }
verdict-all-up = كل القنوات تعمل.
verdict-unknown = لم يُفحص كل شيء بعد.

# === اللافتات ===
help-title = { $people ->
    [zero] لا أحد يحتاج إلى مساعدة
    [one] شخص واحد يحتاج إلى مساعدة
    [two] شخصان يحتاجان إلى مساعدة
    [few] { $people } أشخاص يحتاجون إلى مساعدة
    [many] { $people } شخصًا يحتاجون إلى مساعدة
   *[other] { $people } شخص يحتاجون إلى مساعدة
  }
help-drill = { $people ->
    [zero] لا أحد أجاب على تمرين بطلب المساعدة
    [one] شخص واحد أجاب على تمرين بطلب المساعدة
    [two] شخصان أجابا على تمرين بطلب المساعدة
    [few] { $people } أشخاص أجابوا على تمرين بطلب المساعدة
    [many] { $people } شخصًا أجابوا على تمرين بطلب المساعدة
   *[other] { $people } شخص أجابوا على تمرين بطلب المساعدة
  }
help-since = عمر أقدم نداء:
help-link = ما كتبوه
held-title = موقوف بأمر
held-all = أوقف { $who } كل شيء عند { $since }: { $reason }
held-what = تُقبل الرسائل وتُحفظ، ولا يخرج شيء حتى يُرفع الإيقاف.
policy-title = رُفض تعديل السياسة
policy-what = تبقى آخر سياسة صحيحة سارية. رُفض عند { $at }:

# === الأرقام ===
vitals-label = التسليمات بالأرقام
oldest = أقدم ما لم يصل
oldest-none = لا شيء
waiting = في الانتظار
in-flight = جارية
unconfirmed = بانتظار إشعار
backing-off = قبل المحاولة التالية
late-now = متأخرة الآن
late-of = من { $n } مفتوحة
delivered = وصلت
delivered-of = من { $n } منتهية منذ البدء
delivered-handed = { $n } سُلّمت للمزوّد
delivered-failed = { $n } فشلت أو انتهت مهلتها
channels-up = قنوات صالحة
channels-of = من { $n }
none-settled = لم ينتهِ شيء بعد

# === البوابات ===
gateways-label = البوابات
gateway = بوابة
channel = قناة
state = الحالة
odds = الاحتمال
odds-hint = احتمال أن تصل رسالة تُرسل الآن.
layers-hint = العمق الذي تبلغه الفحوص.
flying = جارية
unconfirmed-short = بلا تأكيد
history = السجل
history-window = آخر { $window }
earlier = قبل
now-word = الآن
receipts-none = بلا إشعارات
deferred-until = طلبت التمهل حتى { $at }
quota-left = { $quota }: بقي { $left }
overlay-held = { $who }: { $reason }
overlay-drill = تبدو متوقفة لرسائل التمرين حتى { $until } · { $who }: { $reason }
overlay-drill-everybody = تبدو متوقفة للجميع حتى { $until } · { $who }: { $reason }
overlay-maintenance = حتى { $until } · { $who }: { $reason }
removed = لم تعد مهيأة
no-gateways = لا توجد بوابة مهيأة. أضف واحدة إلى wasl.toml.

state-up = يعمل
state-degraded = متدهور
state-down = متوقف
state-recovering = يتعافى
state-unknown = غير معروف
state-maintenance = صيانة
state-held = موقوف بأمر

layer-dns = DNS
layer-tcp = TCP
layer-tls = TLS
layer-http = HTTP
layer-api = API
layer-fine = { $layer }: سليم، { $at }
layer-limited = { $layer }: محدود، { $reason }، { $at }
layer-failed = { $layer }: { $reason }، { $at }
layer-old = { $layer }: غير معروف الآن، آخر رصد { $at }
layer-none = { $layer }: بلا فحص

channel-whatsapp = واتساب
channel-signal = سيغنال
channel-telegram = تلغرام
channel-sms = الرسائل القصيرة
channel-email = البريد الإلكتروني
channel-voice = المكالمات
channel-messenger = ماسنجر
channel-imessage = آي مسج
channel-satellite = القمر الصناعي
channel-matrix = ماتركس
channel-mesh = الشبكة المحلية
channel-webhook = الربط البرمجي

severity-extreme = قصوى
severity-severe = شديدة
severity-moderate = متوسطة
severity-minor = طفيفة
severity-unknown = غير محددة

# === بقية اللوحات ===
uplink-label = خطنا
uplink-up = { $name } يعمل
uplink-down = { $name } متوقف منذ { $since }
uplink-controls = { $failed } من { $all } نقاط مراقبة صامتة

outages-label = الانقطاعات
outages-none = لا انقطاع مسجل.
outage-of-uplink = خطنا { $name }
outage-of-slice = { $gateway } لمن هم في { $region }
outage-of-region = شبكة الوصول الأخيرة في { $region }
outage-of-domain = كل ما يعتمد على { $domain }
outage-found = اكتُشف بعد { $age }
outage-cost = { $n ->
    [zero] لم تفشل محاولات
    [one] فشلت محاولة واحدة
    [two] فشلت محاولتان
    [few] فشلت { $n } محاولات
    [many] فشلت { $n } محاولة
   *[other] فشلت { $n } محاولة
  }
going-on = مستمر
over = انتهى

happened-label = ما الذي حدث
happened-none = لا شيء يستحق الذكر بعد.
happened-failover = تحويل { $n ->
    [zero] { $n } تسليم
    [one] تسليم واحد
    [two] تسليمين
    [few] { $n } تسليمات
    [many] { $n } تسليمًا
   *[other] { $n } تسليم
  } من { $from } إلى { $to }: { $why }
why-wait = لم يصل تأكيد في الوقت
happened-state = { $gateway }: { $state }
happened-why = { $gateway }: { $state }، { $why }
happened-layer = { $gateway }: { $state } عند { $layer }، { $why }
happened-outage-opened = أُعلن انقطاع { $what }: { $why }، اكتُشف بعد { $age }
happened-outage-turned = انقطاع { $from }: تبيّن أنه { $what }
happened-outage-closed = انتهى انقطاع { $what } بعد { $age }
happened-deadline = { $n ->
    [zero] لم يفت الموعد أي تسليم
    [one] فات الموعد تسليمًا واحدًا
    [two] فات الموعد تسليمين
    [few] فات الموعد { $n } تسليمات
    [many] فات الموعد { $n } تسليمًا
   *[other] فات الموعد { $n } تسليم
  } من { $message }
happened-uplink-up = عاد خطنا { $name }
happened-uplink-down = خطنا { $name } متوقف
happened-held = أوقف { $who } { $what }
happened-maintenance = وضع { $who } { $what } تحت الصيانة
happened-drill = جعل { $who } { $what } تبدو متوقفة لتمرين
happened-lifted = أعاد { $who } تشغيل { $what }
happened-work-over = انتهت الصيانة المخططة أو التمرين على { $what }
happened-everything = كل شيء
drill-title = تمرين
drill-gateway = تبدو { $gateway } متوقفة لرسائل التمرين حتى { $until } · { $who }: { $reason }
drill-gateway-everybody = تبدو { $gateway } متوقفة للجميع حتى { $until } · { $who }: { $reason }
drill-open = { $n ->
    [zero] لا تسليمات تمرين مفتوحة.
    [one] تسليم تمرين واحد لم يُحسم بعد.
    [two] تسليما تمرين لم يُحسما بعد.
    [few] { $n } تسليمات تمرين لم تُحسم بعد.
    [many] { $n } تسليم تمرين لم يُحسم بعد.
   *[other] { $n } تسليم تمرين لم يُحسم بعد.
  }
drill-what = كل رسالة تمرين تقول ذلك. وأرقامها محفوظة على حدة.
drill-tag = تمرين

happened-help = { $people ->
    [zero] لا أحد يحتاج إلى مساعدة
    [one] شخص واحد يحتاج إلى مساعدة
    [two] شخصان يحتاجان إلى مساعدة
    [few] { $people } أشخاص يحتاجون إلى مساعدة
    [many] { $people } شخصًا يحتاجون إلى مساعدة
   *[other] { $people } شخص يحتاجون إلى مساعدة
  }
help-erased = { $calls ->
    [zero] لم يُغلق أي نداء لطلب المساعدة
    [one] أُغلق نداء واحد لطلب المساعدة لأن بيانات صاحبه حُذفت
    [two] أُغلق نداءان لطلب المساعدة لأن بيانات صاحبيهما حُذفت
    [few] أُغلقت { $calls } نداءات لطلب المساعدة لأن بيانات أصحابها حُذفت
    [many] أُغلق { $calls } نداءً لطلب المساعدة لأن بيانات أصحابها حُذفت
   *[other] أُغلق { $calls } نداء لطلب المساعدة لأن بيانات أصحابها حُذفت
  }
happened-clock = تحركت الساعة بمقدار { $by }
happened-policy = السياسة { $hash } سارية

open-label = أقدم ما هو جارٍ
open-none = لا شيء في الانتظار.
open-delivery = تسليم
open-age = العمر
open-step = الخطوة
open-where = أين
open-deadline = الموعد
open-late = متأخر
standing-waiting = ينتظر بوابة
standing-backing_off = قبل المحاولة التالية
standing-in_flight = قيد الإرسال
standing-unconfirmed = بانتظار إشعار
severity = الخطورة

# === المدد ===
age-seconds = { $n ->
    [zero] { $n } ثانية
    [one] ثانية
    [two] ثانيتان
    [few] { $n } ثوانٍ
    [many] { $n } ثانية
   *[other] { $n } ثانية
  }
age-minutes = { $n ->
    [zero] { $n } دقيقة
    [one] دقيقة
    [two] دقيقتان
    [few] { $n } دقائق
    [many] { $n } دقيقة
   *[other] { $n } دقيقة
  }
age-hours = { $n ->
    [zero] { $n } ساعة
    [one] ساعة
    [two] ساعتان
    [few] { $n } ساعات
    [many] { $n } ساعة
   *[other] { $n } ساعة
  }
age-days = { $n ->
    [zero] { $n } يوم
    [one] يوم
    [two] يومان
    [few] { $n } أيام
    [many] { $n } يومًا
   *[other] { $n } يوم
  }
# وهي بعد حرف أو ظرف يجرّها: يتغيّر المثنى وحده.
age-seconds-after = { $n ->
    [two] ثانيتين
   *[other] { age-seconds }
  }
age-minutes-after = { $n ->
    [two] دقيقتين
   *[other] { age-minutes }
  }
age-hours-after = { $n ->
    [two] ساعتين
   *[other] { age-hours }
  }
age-days-after = { $n ->
    [two] يومين
   *[other] { age-days }
  }
age-two = { $large } و{ $small }
list-comma = { "، و" }
list-and = { " و" }
list-last = { "، و" }

# === الأسباب ===
reason-not_on_channel = المستلم ليس على هذه القناة
reason-blocked = المستلم حظرنا
reason-bad_address = عنوان غير صالح
reason-identity_changed = تغيّر مفتاح المستلم
reason-pair_limit = رسائل كثيرة لمستلم واحد
reason-undeliverable = تعذر الوصول إلى المستلم
reason-content_refused = رُفض النص
reason-template_required = يلزم قالب
reason-no_text = لا نص لهذا المستلم
reason-credentials = رُفضت بيانات الاعتماد
reason-configuration = خطأ في الحساب أو المرسل
reason-throttled = طُلب منا التمهل
reason-quota_exhausted = نفدت الحصة
reason-provider_fault = عطل لدى المزوّد
reason-service_down = المزوّد يقول إنه متوقف
reason-dns_nxdomain = الاسم غير موجود
reason-dns_servfail = خوادم الأسماء معطلة
reason-dns_timeout = خوادم الأسماء صامتة
reason-dns_empty = اسم بلا عنوان
reason-tcp_refused = رُفض الاتصال
reason-tcp_timeout = لا اتصال
reason-tcp_reset = انقطع الاتصال فور فتحه
reason-unreachable = الشبكة غير متاحة
reason-tls_expired = انتهت صلاحية الشهادة
reason-tls_wrong_name = الشهادة لاسم آخر
reason-tls_untrusted = شهادة غير موثوقة
reason-tls_failed = فشل TLS
reason-tls_timeout = TLS صامت
reason-not_connected = غير متصل
reason-timeout = لا جواب
reason-connection_lost = فُقد الاتصال
reason-receipts_missing = إشعارات الوصول لا تأتي
reason-unreadable = جواب غير مقروء
reason-restart = أُعيد التشغيل أثناء ذلك
reason-condition = لم يتحقق الشرط
reason-limited = محدود من المزوّد
reason-busy = مشغول
reason-opted_out = لا يريد المزيد على هذه القناة
reason-erased = حُذفت بياناته بناءً على طلب

notice-again = ما زال الأمر كذلك: { $title }
notice-outage = انقطاع: { $what }
notice-outage-turned = تبيّن أنه { $what }
notice-turned-from = أُبلغ عنه من قبل على أنه انقطاع { $from }.
notice-do-region = المطلوب: لا تصل الرسائل إلى الهواتف هناك بأي قناة. أبلغوا الناس بالإذاعة أو بمكبرات الصوت أو بالمتطوعين؛ وما ينتظر يصل حين تعود الشبكة.
notice-do-open = المطلوب: اسألوا أحدًا في { $region } هل وصلت الرسالة. لم يُعرف بعد هل العطل في القناة أم في الشبكة هناك.
notice-do-open-anywhere = المطلوب: اسألوا أحد المستلمين هل وصلت الرسالة. لم يُعرف بعد هل العطل في القناة أم في الشبكة هناك.
notice-do-slice = المطلوب: لا شيء الآن. من يمكن الوصول إليه هناك بقناة أخرى يُراسَل بها.
notice-do-domain = المطلوب: افحصوا ما تشترك فيه. البوابات الأخرى تواصل العمل، وينتهي الانقطاع حين تعود كلها.
notice-outage-since = منذ { $since }: { $why }.
notice-outage-over = انتهى الانقطاع: { $what }
notice-outage-lasted = دام الانقطاع { $age }.
notice-outage-cost = { $n ->
    [zero] لم تفشل بسببه أي محاولة.
    [one] فشلت بسببه محاولة واحدة.
    [two] فشلت بسببه محاولتان.
    [few] فشلت بسببه { $n } محاولات.
    [many] فشلت بسببه { $n } محاولة.
   *[other] فشلت بسببه { $n } محاولة.
  }
notice-own-line = خطنا { $name }
notice-carries = يرسل وصل الآن عبر { $channels }.
notice-nothing-carries = لم تبق لدى وصل قناة تعمل، والرسائل تنتظر.
notice-waiting = { $n ->
    [zero] لا شيء ينتظر.
    [one] تسليم واحد ينتظر.
    [two] تسليمان ينتظران.
    [few] { $n } تسليمات تنتظر.
    [many] { $n } تسليمًا ينتظر.
   *[other] { $n } تسليم ينتظر.
  }
notice-nothing-to-do = لا يلزم فعل شيء.
notice-do-wait = المطلوب: لا شيء في الحال. إن طال فاسأل مقدم الخدمة.
notice-do-line = المطلوب: تفقد الخط أو اسأل مزوده.
notice-do-credentials = المطلوب: جدد مفتاح الحساب، فمقدم الخدمة يرفض مفتاحنا.
notice-do-certificate = المطلوب: اطلب تجديد الشهادة، فلا يُرسل شيء إلى من لا يثبت هويته.
notice-do-configuration = المطلوب: صحح البوابة في wasl.toml، والأمر `wasl probe` يبين الخطأ.
notice-no-way-out = لا طريق للخارج: لا قناة تستطيع الإرسال
notice-no-way-out-do = المطلوب: أبلغ الناس بوسائل أخرى، والأرقام في `wasl reach --call-tree`، وتفقد الخط والبوابات.
notice-one-way-left = لم تبق إلا قناة { $channel }
notice-one-way-left-do = المطلوب: أصلح قناة أخرى قبل أن تنقطع هذه أيضًا.
notice-ways-back = عادت القنوات إلى الإرسال
notice-missed = { $n ->
    [zero] لم يفت الموعد أي تسليم من { $message }
    [one] تسليم واحد من { $message } فاته موعده
    [two] تسليمان من { $message } فاتهما موعدهما
    [few] { $n } تسليمات من { $message } فاتها موعدها
    [many] { $n } تسليمًا من { $message } فاتها موعدها
   *[other] { $n } تسليم من { $message } فاتها موعدها
  }
notice-missed-do = المطلوب: انظر من لم تصله الرسالة، وأبلغه بوسيلة أخرى.
notice-help-exercise = تمرين: { $title }
notice-help-of = جاء ذلك ردًا على الرسالة { $message }.
notice-help-of-unknown = لا تُعرف رسالة جاء ذلك ردًا عليها.
notice-help-who = من: { $who }.
notice-help-at = آخر نداء: { $at }.
notice-help-do = المطلوب: اتصل بهم أو أرسل إليهم أحدًا في الحال. وهذا ما كتبوه:
notice-help-exercise-do = المطلوب: تأكد أن ذلك جزء من التمرين. وهذا ما كتبوه:
notice-help-erased-did = حُذفت بيانات من نادى، ولم يعد يُحسب بين من يحتاجون إلى مساعدة.
notice-help-erased-do = المطلوب: إن كان أحد في الطريق إليه فليكمل، وإلا فاسألوا من حذف بياناته. والإجراء مسجل هنا:
notice-policy = رُفض تعديل على الملفات
notice-policy-did = القواعد السابقة له هي النافذة، ولم يتوقف شيء.
notice-policy-do = المطلوب: صحح التعديل، والأمر `wasl check` يبين كل خطأ.
notice-policy-over = عادت الملفات نافذة
notice-store = خلل في المخزن
notice-store-did = لا تُقبل رسائل جديدة، وما قُبل يُرسل.
notice-store-do = المطلوب: أفسح مكانًا على القرص أو تفقده.
notice-store-over = عاد المخزن إلى قبول الرسائل
notice-folded = { $n ->
    [zero] لم يُطو أي إشعار
    [one] طُوي إشعار واحد آخر
    [two] طُوي إشعاران آخران
    [few] طُويت { $n } إشعارات أخرى
    [many] طُوي { $n } إشعارًا آخر
   *[other] طُوي { $n } إشعار آخر
  }

# The sheet to telephone people from (`wasl reach --call-tree`).
sheet-title = ورقة الاتصال
sheet-page = صفحة { $n } من { $of }
sheet-at = أُعدت في { $at }
sheet-unreached = { $n ->
    [zero] لا أحد ممن لا تصل إليهم أي قناة
    [one] شخص واحد لا تصل إليه أي قناة
    [two] شخصان لا تصل إليهما أي قناة
    [few] { $n } أشخاص لا تصل إليهم أي قناة
    [many] { $n } شخصًا لا تصل إليهم أي قناة
   *[other] { $n } شخص لا تصل إليهم أي قناة
  }
sheet-everybody = { $n ->
    [zero] لا أحد
    [one] شخص واحد
    [two] شخصان
    [few] { $n } أشخاص
    [many] { $n } شخصًا
   *[other] { $n } شخص
  }
sheet-audience = مجموعة { $name }
sheet-personal = بيانات شخصية: احفظ الورقة معك وأتلفها بعد استعمالها.
sheet-left-out = عدد من لم تتسع لهم الورقة { $n }: اطبع ورقة أخرى لهم بالخيار --audience.
sheet-group = منطقة { $region }، فريق { $sector }، لغة { $language }
sheet-no-region = غير معروفة
sheet-no-sector = غير معروف
sheet-no-language = غير معروفة
sheet-no-number = لا رقم معروف: اذهب إليهم أو اسأل من هو قريب منهم
sheet-continued = (تتمة)
sheet-first = اتصل أولًا
sheet-deputy = ينوب عنه: { $name }، { $number }
sheet-blanks = المتصل ______________ الوقت ________ الجواب _________________________
sheet-nobody = لا أحد يُتصل به.
