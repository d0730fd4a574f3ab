// The operations on keys that are compared. Each gives the milliseconds that it took, as seen by the page.
// What @peculiar/x509 needs to be there before it.
import 'reflect-metadata';
import { EncryptedData, EncryptedPrivateKeyInfo } from '@peculiar/asn1-pkcs8';
import { AsnConvert } from '@peculiar/asn1-schema';
import * as x509 from '@peculiar/x509';
import forge from 'node-forge';

import { KeysideWorker, PASSPHRASE } from './keyside.js';

const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
const NAME = 'Ada Example';
const SUBJECT = `CN=${NAME}, OU=Participants & External Users, O=Example Grid Operator, C=US`;
const EMAIL = 'ada@example.com';
/** OWASP's count, and Keyside's for keys that leave for other programs. */
const ITERATIONS = 600_000;
const OIDS = { pbes2: '1.2.840.113549.1.5.13', pbkdf2: '1.2.840.113549.1.5.12', hmacSha256: '1.2.840.113549.2.9', aes256Cbc: '2.16.840.1.101.3.4.1.42' };

const toBase64 = (bytes) => forge.util.encode64(forge.util.binary.raw.encode(new Uint8Array(bytes)));
const fromBase64 = (text) => forge.util.binary.raw.decode(forge.util.decode64(text));
const toBinary = (bytes) => forge.util.binary.raw.encode(new Uint8Array(bytes));
const milliseconds = async (work) => {
    const started = performance.now();
    await work();
    return performance.now() - started;
};

/** Runs a job in a fresh worker, whose start is not counted; fails unless the answer is this one. */
async function job(expected, job) {
    const worker = await KeysideWorker.start();
    const answer = await worker.do(job);
    if (answer.name !== expected) throw new Error(`the worker answered ${answer.name}: ${JSON.stringify(answer.content)}`);
    return answer;
}

/** PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, in node-forge. */
const forgeSeal = (info, count) => forge.pki.encryptPrivateKeyInfo(info, PASSPHRASE, { algorithm: 'aes256', count, saltSize: 16, prfAlgorithm: 'sha256' });

let made;

/** What the operations work on, made once: a key, its certification path of three, requests, and the key sealed in three ways. */
const materials = () => (made ??= make());

async function make() {
    const keys = await crypto.subtle.generateKey({ ...RSA, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }, true, ['sign', 'verify']);
    const [pkcs8, spki] = await Promise.all([crypto.subtle.exportKey('pkcs8', keys.privateKey), crypto.subtle.exportKey('spki', keys.publicKey)]);
    const common = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 86_400_000), signingAlgorithm: RSA };
    const alternative = new x509.SubjectAlternativeNameExtension([{ type: 'email', value: EMAIL }]);
    const certify = (subject, issuer, extensions) => x509.X509CertificateGenerator.create({
        ...common, subject, issuer, extensions, publicKey: keys.publicKey, signingKey: keys.privateKey,
    });
    const authority = [new x509.BasicConstraintsExtension(true, undefined, true)];
    const path = await Promise.all([
        certify(SUBJECT, 'CN=Example Issuing CA', [alternative]),
        certify('CN=Example Issuing CA', 'CN=Example Root CA', authority),
        certify('CN=Example Root CA', 'CN=Example Root CA', authority),
    ]);
    const info = forge.asn1.fromDer(toBinary(pkcs8));
    const certificates = path.map((certificate) => toBase64(certificate.rawData));
    const request = await x509.Pkcs10CertificateRequestGenerator.create({ name: SUBJECT, keys, signingAlgorithm: RSA, extensions: [alternative] });
    // Sealed with one iteration, so that opening it takes no time and what comes after is what is measured.
    const cheap = forge.util.encode64(forge.asn1.toDer(forgeSeal(info, 1)).getBytes());
    const keyId = [...new Uint8Array(await crypto.subtle.digest('SHA-256', spki))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    const { content: { encrypted_private_key: scrypt } } = await job('PassphraseChanged', changePassphrase({ keyId, cheap }));
    return {
        keys, keyId, info, certificates, cheap, scrypt, alternative,
        forgeKey: forge.pki.privateKeyFromAsn1(info),
        forgeCertificates: certificates.map((certificate) => forge.pki.certificateFromAsn1(forge.asn1.fromDer(forge.util.decode64(certificate)))),
    };
}

const changePassphrase = ({ keyId, cheap }) => ({
    ChangePassphrase: { key_id: keyId, encrypted_private_key: cheap, passphrase: PASSPHRASE, new_passphrase: PASSPHRASE },
});

const exportAs = (format, { cheap, certificates }) => ({
    Export: {
        format, encrypted_private_key: cheap, certification_path: certificates, friendly_name: NAME, passphrase: PASSPHRASE, export_passphrase: null,
    },
});

/** Opens a key and does no more: the key is not the one that is named, or the passphrase not the key's. */
const opening = (sealed, passphrase = PASSPHRASE) => ({
    ChangePassphrase: { key_id: '', encrypted_private_key: sealed, passphrase, new_passphrase: passphrase },
});

/** The AES key that WebCrypto derives from the passphrase. */
async function derive(salt, iterations) {
    const base = await crypto.subtle.importKey('raw', new TextEncoder().encode(PASSPHRASE), 'PBKDF2', false, ['deriveKey']);
    return crypto.subtle.deriveKey({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations }, base, { name: 'AES-CBC', length: 256 }, false, ['encrypt', 'decrypt']);
}

/** PBES2's parameters, by node-forge's ASN.1: the @peculiar packages know the structure around them alone. */
function pbes2(salt, iv) {
    const { asn1 } = forge;
    const universal = (type, constructed, value) => asn1.create(asn1.Class.UNIVERSAL, type, constructed, value);
    const sequence = (...values) => universal(asn1.Type.SEQUENCE, true, values);
    const oid = (value) => universal(asn1.Type.OID, false, asn1.oidToDer(value).getBytes());
    const octets = (bytes) => universal(asn1.Type.OCTETSTRING, false, toBinary(bytes));
    const integer = universal(asn1.Type.INTEGER, false, asn1.integerToDer(ITERATIONS).getBytes());
    const prf = sequence(oid(OIDS.hmacSha256), universal(asn1.Type.NULL, false, ''));
    const parameters = sequence(
        sequence(oid(OIDS.pbkdf2), sequence(octets(salt), integer, prf)),
        sequence(oid(OIDS.aes256Cbc), octets(iv)),
    );
    return forge.util.binary.raw.decode(asn1.toDer(parameters).getBytes()).buffer;
}

/**
 * Each operation, by who does it. `@peculiar` is @peculiar/x509 and its ASN.1 packages
 * on WebCrypto. node-forge and WebCrypto know no scrypt; @peculiar/x509 makes no PKCS#12.
 */
export const operations = {
    'PKCS#10 request': {
        async keyside() {
            const { cheap, certificates } = await materials();
            const renew = {
                certificate: certificates[0], subject: toBase64(new x509.Name(SUBJECT).toArrayBuffer()), email_address: EMAIL,
                encrypted_private_key: cheap, passphrase: PASSPHRASE, new_key: null, new_passphrase: null,
            };
            const { stages } = await job('Renewed', { Renew: renew });
            return stages.EncryptingKey - stages.SigningRequest;
        },
        async 'node-forge'() {
            const { forgeKey } = await materials();
            return milliseconds(() => {
                const request = forge.pki.createCertificationRequest();
                request.publicKey = forge.pki.setRsaPublicKey(forgeKey.n, forgeKey.e);
                request.setSubject([
                    { name: 'countryName', value: 'US' }, { name: 'organizationName', value: 'Example Grid Operator' },
                    { shortName: 'OU', value: 'Participants & External Users' }, { name: 'commonName', value: NAME },
                ]);
                request.setAttributes([{ name: 'extensionRequest', extensions: [{ name: 'subjectAltName', altNames: [{ type: 1, value: EMAIL }] }] }]);
                request.sign(forgeKey, forge.md.sha256.create());
                forge.asn1.toDer(forge.pki.certificationRequestToAsn1(request)).getBytes();
            });
        },
        async '@peculiar'() {
            const { keys, alternative } = await materials();
            return milliseconds(() => x509.Pkcs10CertificateRequestGenerator.create({ name: SUBJECT, keys, signingAlgorithm: RSA, extensions: [alternative] }));
        },
    },
    'PKCS#8 sealing, scrypt': {
        keyside: async () => (await job('PassphraseChanged', changePassphrase(await materials()))).milliseconds,
    },
    'PKCS#8 opening, scrypt': {
        async keyside() {
            const { scrypt } = await materials();
            return (await job('Failed', opening(scrypt))).milliseconds;
        },
    },
    'PKCS#8 sealing, PBKDF2': {
        keyside: async () => (await job('Exported', exportAs('Pem', await materials()))).milliseconds,
        async 'node-forge'() {
            const { info } = await materials();
            return milliseconds(() => forge.asn1.toDer(forgeSeal(info, ITERATIONS)).getBytes());
        },
        async '@peculiar'() {
            const { keys } = await materials();
            return milliseconds(async () => {
                const [salt, iv] = [16, 16].map((length) => crypto.getRandomValues(new Uint8Array(length)));
                const key = await derive(salt, ITERATIONS);
                const clear = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
                const encrypted = await crypto.subtle.encrypt({ name: 'AES-CBC', iv }, key, clear);
                const info = new EncryptedPrivateKeyInfo({ encryptedData: new EncryptedData(encrypted) });
                info.encryptionAlgorithm.algorithm = OIDS.pbes2;
                info.encryptionAlgorithm.parameters = pbes2(salt, iv);
                AsnConvert.serialize(info);
            });
        },
    },
    'PKCS#12, Modern': pkcs12('Modern', 'aes256', 300_000),
    'PKCS#12, Compatible': pkcs12('Compatible', '3des', 10_000),
};

/** node-forge leaves the certificates in the clear, and its MAC is always SHA-1 with as many iterations: it does less. */
function pkcs12(profile, algorithm, count) {
    return {
        keyside: async () => (await job('Exported', exportAs({ Pkcs12: profile }, await materials()))).milliseconds,
        async 'node-forge'() {
            const { forgeKey, forgeCertificates } = await materials();
            return milliseconds(() => {
                const file = forge.pkcs12.toPkcs12Asn1(forgeKey, forgeCertificates, PASSPHRASE, { algorithm, count, saltSize: 16, friendlyName: NAME });
                forge.asn1.toDer(file).getBytes();
            });
        },
    };
}

/** A passphrase that opens nothing: the derivation is all that there is to do. */
const deriving = async () => (await job('Failed', opening((await materials()).scrypt, 'Wrong-4-horse!'))).milliseconds;

/** What it takes to derive a key with the stored parameters. */
export const derivations = {
    'scrypt N=2^14 r=8 p=5, Keyside': deriving,
    async 'PBKDF2-HMAC-SHA-256 600,000, WebCrypto'() {
        const salt = crypto.getRandomValues(new Uint8Array(16));
        return milliseconds(() => derive(salt, ITERATIONS));
    },
};
