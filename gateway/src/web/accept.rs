//! Content negotiation by the header Accept (RFC 9110, section 12.5.1).

use axum::http::{HeaderMap, header};
use mediatype::names::_STAR;
use mediatype::{MediaType, MediaTypeList, Name, ReadParams};

/// The parameter that weighs a media range.
const Q: Name<'static> = Name::new_unchecked("q");

/// The media types that a request's headers accept, as one list.
pub(super) fn accepted(headers: &HeaderMap) -> String {
    headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

/// Which of `offers` (the server's favourite first) the client likes best; `None` if it takes none of them.
///
/// Where `accept` is empty (there is no header), or cannot be read, everything is welcome.
pub(super) fn choose<'a>(accept: &str, offers: &[&'a str]) -> Option<&'a str> {
    let ranges: Vec<MediaType<'_>> = MediaTypeList::new(accept).filter_map(Result::ok).collect();
    if ranges.is_empty() {
        return offers.first().copied();
    }
    let mut best: Option<(&str, f32)> = None;
    for &offer in offers {
        let quality = quality(&ranges, offer);
        if quality > best.map_or(0.0, |(_, quality)| quality) {
            best = Some((offer, quality));
        }
    }
    best.map(|(offer, _)| offer)
}

/// How much the client likes `offer`: the weight of the most specific range that it falls in.
fn quality(ranges: &[MediaType<'_>], offer: &str) -> f32 {
    let Ok(offer) = MediaType::parse(offer) else {
        return 0.0;
    };
    ranges
        .iter()
        .filter_map(|range| Some((specificity(range, &offer)?, weight(range))))
        .max_by_key(|(specificity, _)| *specificity)
        .map_or(0.0, |(_, weight)| weight)
}

/// How narrowly `range` says `offer`, if it does.
fn specificity(range: &MediaType<'_>, offer: &MediaType<'_>) -> Option<usize> {
    if range.ty == _STAR && range.subty == _STAR {
        return Some(0);
    }
    if range.ty != offer.ty {
        return None;
    }
    if range.subty == _STAR {
        return Some(1);
    }
    let mut parameters = range.params().filter(|(name, _)| *name != Q);
    let same = range.subty == offer.subty
        && range.suffix == offer.suffix
        && parameters.all(|(name, value)| offer.get_param(name) == Some(value));
    same.then(|| 2 + range.params().filter(|(name, _)| *name != Q).count())
}

/// The weight of `range`, 1 unless it says otherwise (RFC 9110, section 12.4.2).
fn weight(range: &MediaType<'_>) -> f32 {
    match range.get_param(Q) {
        Some(q) => q.as_str().parse().map_or(0.0, |q: f32| q.clamp(0.0, 1.0)),
        None => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use keyside_core::api::{PEM_CERTIFICATE_CHAIN as PEM, PKCS7_CERTS_ONLY as P7C, PKIX_CERT as CER};

    use super::*;

    #[test]
    fn the_client_s_wish_is_met() {
        for (accept, expected) in [
            ("", Some(PEM)),
            ("*/*", Some(PEM)),
            ("application/*", Some(PEM)),
            ("text/html", None),
            ("application/pkix-cert", Some(CER)),
            ("APPLICATION/PKIX-CERT", Some(CER)),
            ("application/pkcs7-mime", Some(P7C)),
            ("application/pkcs7-mime; smime-type=certs-only", Some(P7C)),
            ("application/pkcs7-mime;smime-type=\"certs-only\";q=0.5", Some(P7C)),
            ("application/pkcs7-mime; smime-type=enveloped-data", None),
            ("application/pem-certificate-chain;q=0.4, application/pkix-cert;q=0.5", Some(CER)),
            ("application/pem-certificate-chain;q=0, */*;q=0.1", Some(CER)),
            ("*/*;q=0", None),
            ("text/html, application/xhtml+xml, */*;q=0.8", Some(PEM)),
            ("*/*;q=0.1, application/pkcs7-mime;q=0.2", Some(P7C)),
        ] {
            assert_eq!(choose(accept, &[PEM, CER, P7C]), expected, "{accept:?}");
        }
    }
}
