//! Every scheme against vectors of the senders themselves.

use super::*;

const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const RIGHT: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const OTHER: &str = "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
const BODY: &str = "{\"test\": 2432232314}";
const AT: i64 = 1_614_265_330;

/// Verifies by Standard Webhooks; a header that is `-` is left out.
fn standard(secret: &str, id: &str, at: &str, signature: &str, body: &str, now: i64) -> bool {
    let headers: Vec<_> = [
        ("Webhook-Id", id),
        ("webhook-timestamp", at),
        ("WEBHOOK-SIGNATURE", signature),
    ]
    .into_iter()
    .filter(|(_, v)| *v != "-")
    .collect();
    let request = Signed {
        method: "POST",
        url: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    let keys = keys(Key::Whsec, secret);
    verify(&STANDARD_WEBHOOKS, &keys, &request, now).is_ok()
}

#[test]
fn hmac_agrees_with_the_rfc() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(
        hex(hmac(&[0x0b; 20], [&b"Hi "[..], b"There"])),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
    assert_eq!(
        hex(hmac(b"Jefe", [&b"what do ya want for nothing?"[..]])),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert_eq!(
        hex(hmac(&[0xaa; 20], [&[0xdd; 50][..]])),
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
    );
    let counted: Vec<u8> = (1..=25).collect();
    assert_eq!(
        hex(hmac(&counted, [&[0xcd; 50][..]])),
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
    );
    let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
    assert_eq!(
        hex(hmac(&[0xaa; 131], [&long[..]])),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    );
}

#[test]
fn standard_webhooks_are_accepted_as_every_sender_signs_them() {
    let at = AT.to_string();
    let list = format!("v1,{OTHER} v2,{OTHER} {RIGHT} v1,{OTHER}");
    let accepted = [
        (SECRET, RIGHT, BODY, AT),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", RIGHT, BODY, AT),
        (
            "whsec_b2xk whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            RIGHT,
            BODY,
            AT,
        ),
        (SECRET, list.as_str(), BODY, AT),
        (SECRET, RIGHT, BODY, AT + 300),
        (SECRET, RIGHT, BODY, AT - 300),
        (
            SECRET,
            "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A=",
            "",
            AT,
        ),
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
            "v1,LVOXivKoo4FWasi/IaHvzhE/u+7/cu2AME+zS/nXqzk=",
            BODY,
            AT,
        ),
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr",
            "v1,yK2tMbA6BHPrMEJ1lLv7UlJJbgFoqGenJkiajZ29evg=",
            BODY,
            AT,
        ),
    ];
    for (secret, signature, body, now) in accepted {
        assert!(
            standard(secret, ID, &at, signature, body, now),
            "{secret} {signature} {now}"
        );
    }
}

#[test]
fn standard_webhooks_are_refused_where_anything_is_off() {
    let at = AT.to_string();
    let refused = [
        (ID, at.as_str(), RIGHT, BODY, AT + 301),
        (ID, &at, RIGHT, BODY, AT - 301),
        ("-", &at, RIGHT, BODY, AT),
        ("", &at, RIGHT, BODY, AT),
        (ID, "-", RIGHT, BODY, AT),
        (ID, "hello", RIGHT, BODY, AT),
        (ID, "", RIGHT, BODY, AT),
        (ID, "-1614265330", RIGHT, BODY, AT),
        (ID, "99999999999999999999", RIGHT, BODY, AT),
        (ID, &at, "-", BODY, AT),
        (ID, &at, "", BODY, AT),
        (ID, &at, "v1,", BODY, AT),
        (
            ID,
            &at,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=",
            BODY,
            AT,
        ),
        (ID, &at, "v1,dawfeoifkpqwoekfpqoekf", BODY, AT),
        (ID, &at, "v1,g0hM9", BODY, AT),
        (
            ID,
            &at,
            "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            BODY,
            AT,
        ),
        (
            ID,
            &at,
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            BODY,
            AT,
        ),
        (ID, &at, RIGHT, "{\"test\":2432232314}", AT),
        ("msg_other", &at, RIGHT, BODY, AT),
    ];
    for (id, at, signature, body, now) in refused {
        assert!(
            !standard(SECRET, id, at, signature, body, now),
            "{id} {at} {signature} {now}"
        );
    }
    for secret in ["", "whsec_", " ", "whsec_!!"] {
        assert_eq!(keys(Key::Whsec, secret), Vec::<Vec<u8>>::new());
        assert!(!standard(secret, ID, &at, RIGHT, BODY, AT));
    }
}

#[test]
fn what_is_signed_here_is_verified_here() {
    for secret in [SECRET, "plain secret-2", "topsecret", "whsec_b2xk bmV3"] {
        let signature = sign(secret, ID, AT, BODY.as_bytes()).expect("signs");
        assert!(
            standard(secret, ID, &AT.to_string(), &signature, BODY, AT),
            "{secret}"
        );
    }
    assert_eq!(
        sign(SECRET, ID, AT, BODY.as_bytes()).as_deref(),
        Some(RIGHT)
    );
    assert_eq!(sign("", ID, AT, b""), None);
    assert_eq!(sign("whsec_", ID, AT, b""), None);
}

#[test]
fn stripe_signatures_keep_to_their_grammar() {
    let body = "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\",\n  \"data\": { \"object\": { \"id\": \"rdr_123\", \"object\": \"terminal.reader\" } }\n}";
    let right = "v1=3bfab77baf5f7b6991a46c9b53b6547d7afc56148b10468fcad9f35c1992ffbd";
    let rolled = "v1=f8da3c57978b5355b9b0b40492161305c3c9c8469a9d2784a0163739b30929f3";
    let check_body = |secret: &str, header: String, body: &str| {
        let headers = [("Stripe-Signature", &*header)];
        let request = Signed {
            method: "POST",
            url: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let scheme = scheme("stripe").expect("a row");
        verify(scheme, &keys(scheme.key, secret), &request, 1_700_000_000).is_ok()
    };
    let check = |secret: &str, header: String| check_body(secret, header, body);
    let one = |header: &str| check("whsec_test_secret", header.to_owned());
    let now = "t=1700000000";
    assert!(one(&format!("{now},{right}")));
    assert!(one(&format!("{now},{right},v1=bad_signature")));
    assert!(one(&format!("{now},{rolled},{right}")));
    assert!(check(
        "whsec_test_secret_rolled_key",
        format!("{now},{right},{rolled}")
    ));
    assert!(one(
        "t=1699999701,v1=52d5a5efd56c510d6ab563cd9ad0b616d5065d1b6e9034f27044ab1a95d962c6"
    ));
    assert!(one(
        "t=1699999985,v1=0de2c88f143473c9e2b6c65f734039d7c282218e571cf069150503f578f8559f"
    ));
    let late = "t=1699999699,v1=8d9e311dfa9563c1a7aaa90872f2c7aaa6d3ffcf664d29a613fccb81df5169cd";
    let refused = [
        "",
        "bad_header",
        "i'm not even a real signature header",
        "v1,t=1",
        "t=",
        "t=1700000000,v0=3bfab77baf5f7b6991a46c9b53b6547d7afc56148b10468fcad9f35c1992ffbd",
        "t=1700000000,v1=bad_signature",
        "t=1700000000,v1=6465616462656566",
        late,
        "t=12345,v1=07b1ede164afb7b5de91267ffa656f568c65d6e0783ce0ac55ee094643578eda",
        "t=1,t=1700000000,v1=3bfab77baf5f7b6991a46c9b53b6547d7afc56148b10468fcad9f35c1992ffbd",
    ];
    for header in refused {
        assert!(!one(header), "{header}");
    }
    // What is signed is the body as it came, whatever it is.
    assert!(check_body(
        "whsec_test_secret",
        "t=1700000000,v1=3fa12e00c43599d0fb01131fe7ea14cf2b14a671c09b15a72db83cbbc5fb1ff8"
            .to_owned(),
        "this is not valid JSON"
    ));
}

#[test]
fn each_vendor_signs_in_its_own_way() {
    let body = "{\"a\":\"é\"}".as_bytes();
    let cases: [(&str, &[(&str, &str)]); 5] = [
        (
            "github",
            &[(
                "X-Hub-Signature-256",
                "sha256=0140df62115b7c2d97649a3a044d82105602ed77bfd1f607f1129579b2a18967",
            )],
        ),
        (
            "shopify",
            &[(
                "X-Shopify-Hmac-Sha256",
                "AUDfYhFbfC2XZJo6BE2CEFYC7Xe/0fYH8RKVebKhiWc=",
            )],
        ),
        (
            "slack",
            &[
                (
                    "X-Slack-Signature",
                    "v0=c63df380fada1d5a2f62c40b603d607babeba8b9f101283cf8dc90edafdef473",
                ),
                ("X-Slack-Request-Timestamp", "1700000000"),
            ],
        ),
        (
            "hubspot",
            &[
                (
                    "X-HubSpot-Signature-v3",
                    "SHeArMya4FP+tr72EVj2yrbw75LfI42nDXYqsswkD7E=",
                ),
                ("X-HubSpot-Request-Timestamp", "1700000000000"),
            ],
        ),
        (
            "zendesk",
            &[
                (
                    "X-Zendesk-Webhook-Signature",
                    "UfZLhG0W8vzx9eYkYx+POAmOv1XTzAEztD9sIZxfPwk=",
                ),
                (
                    "X-Zendesk-Webhook-Signature-Timestamp",
                    "2023-11-14T22:13:20Z",
                ),
            ],
        ),
    ];
    for (name, headers) in cases {
        let scheme = scheme(name).expect("a row");
        let keys = keys(scheme.key, "shared-secret");
        let check = |headers: &[(&str, &str)], body: &[u8], now: i64| {
            let request = Signed {
                method: "POST",
                url: "https://x.example/hooks/h?a=1",
                headers,
                body,
            };
            verify(scheme, &keys, &request, now).is_ok()
        };
        let now = 1_700_000_000;
        assert!(check(headers, body, now), "{name}");
        assert!(!check(headers, b"{}", now), "{name}: another body");
        let timed = scheme.window_s.is_some();
        assert_eq!(check(headers, body, now + 301), !timed, "{name}: late");
        let twice = [headers, headers].concat();
        assert!(!check(&twice, body, now), "{name}: a header twice");
        for missing in 0..headers.len() {
            let mut rest = headers.to_vec();
            rest.remove(missing);
            assert!(!check(&rest, body, now), "{name}: a header missing");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_header_makes_the_verifier_trip(
        header in "\\PC{0,80}",
        at in "\\PC{0,20}",
        body: Vec<u8>,
        now: i64,
    ) {
        for scheme in SCHEMES {
            let headers: Vec<_> = [Some(scheme.header), scheme.timestamp, scheme.id]
                .into_iter()
                .flatten()
                .map(|n| (n, if Some(n) == scheme.timestamp { &*at } else { &*header }))
                .collect();
            let request = Signed { method: "POST", url: "u", headers: &headers, body: &body };
            let answer = verify(scheme, &keys(scheme.key, "a-secret"), &request, now);
            proptest::prop_assert!(answer.is_err());
        }
    }
}
