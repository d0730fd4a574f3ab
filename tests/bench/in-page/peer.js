// The main job as a page does it that leaves the cryptography to WebCrypto and node-forge: the key is WebCrypto's, sealed under PBKDF2 and AES by
// WebCrypto and kept in IndexedDB; request and PKCS#12 are node-forge's. It checks nothing, and node-forge packs with its own 2,048 iterations.
import forge from 'node-forge';

const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
const type = Object.fromEntries(new URLSearchParams(location.search));
/** OWASP's count for PBKDF2-HMAC-SHA-256, and Keyside's for keys that leave for other programs. */
const ITERATIONS = 600_000;

const element = (id) => document.getElementById(id);
const toBinary = (bytes) => forge.util.binary.raw.encode(new Uint8Array(bytes));

async function sealingKey(passphrase, salt) {
    const secret = await crypto.subtle.importKey('raw', new TextEncoder().encode(passphrase), 'PBKDF2', false, ['deriveKey']);
    return crypto.subtle.deriveKey(
        { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: ITERATIONS }, secret, { name: 'AES-CBC', length: 256 }, false, ['encrypt', 'decrypt'],
    );
}

const settled = (request, event) => new Promise((resolve, reject) => {
    request[`on${event}`] = () => resolve(request.result);
    request.onerror = () => reject(request.error);
});

async function save(record) {
    const opening = indexedDB.open('peer', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('keys');
    const transaction = (await settled(opening, 'success')).transaction('keys', 'readwrite');
    transaction.objectStore('keys').put(record, 'key');
    await settled(transaction, 'complete');
}

function requestFor(key, name, email) {
    const request = forge.pki.createCertificationRequest();
    request.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
    request.setSubject([
        { name: 'countryName', value: 'US' }, { name: 'organizationName', value: 'Example Grid Operator' },
        { shortName: 'OU', value: type.name }, { name: 'commonName', value: name },
    ]);
    request.setAttributes([{ name: 'extensionRequest', extensions: [{ name: 'subjectAltName', altNames: [{ type: 1, value: email }] }] }]);
    request.sign(key, forge.md.sha256.create());
    return forge.util.encode64(forge.asn1.toDer(forge.pki.certificationRequestToAsn1(request)).getBytes());
}

let record;

element('request').addEventListener('submit', async (event) => {
    event.preventDefault();
    const keys = await crypto.subtle.generateKey({ ...RSA, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }, true, ['sign', 'verify']);
    const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
    const request = requestFor(forge.pki.privateKeyFromAsn1(forge.asn1.fromDer(toBinary(pkcs8))), element('name').value, element('email').value);
    const [salt, iv] = [16, 16].map((length) => crypto.getRandomValues(new Uint8Array(length)));
    const sealed = await crypto.subtle.encrypt({ name: 'AES-CBC', iv }, await sealingKey(element('passphrase').value, salt), pkcs8);
    record = { salt, iv, sealed, request };
    await save(record);
    const answer = await fetch('/api/v1/requests', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ certificate_type: type.id, certification_request: request }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    record.id = (await answer.json()).transaction_id;
    while ((await (await fetch(`/api/v1/requests/${record.id}`)).json()).state !== 'issued') await new Promise((resolve) => setTimeout(resolve, 500));
    element('request').remove();
    element('collect').hidden = false;
});

element('collect').addEventListener('submit', async (event) => {
    event.preventDefault();
    const passphrase = element('again').value;
    const { id, salt, iv, sealed } = record;
    const pem = await (await fetch(`/api/v1/requests/${id}/certificate`)).text();
    const certificates = forge.pem.decode(pem).map(({ body }) => forge.pki.certificateFromAsn1(forge.asn1.fromDer(body)));
    const pkcs8 = await crypto.subtle.decrypt({ name: 'AES-CBC', iv }, await sealingKey(passphrase, salt), sealed);
    const key = forge.pki.privateKeyFromAsn1(forge.asn1.fromDer(toBinary(pkcs8)));
    const file = forge.pkcs12.toPkcs12Asn1(key, certificates, passphrase, { algorithm: 'aes256', saltSize: 16 });
    window.file = forge.asn1.toDer(file).getBytes();
    element('ready').hidden = false;
});
