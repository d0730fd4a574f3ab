import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import java.util.Collections;
import javax.crypto.Cipher;
import javax.crypto.EncryptedPrivateKeyInfo;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Opens files with a private key by Java's own means, logs in to a TLS server with each, and prints the page it gets. */
class ClientCertificate {
    private static final String KEY_BEGIN = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    private static final String KEY_END = "-----END ENCRYPTED PRIVATE KEY-----";

    /** URL, the root's certificate, a passphrase that opens nothing; then file and passphrase, any number of times. */
    public static void main(String[] arguments) throws Exception {
        KeyStore trusted = empty();
        try (InputStream root = new FileInputStream(arguments[1])) {
            trusted.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(root));
        }
        for (int i = 3; i < arguments.length; i += 2) {
            String file = arguments[i];
            if (opens(file, arguments[2])) {
                throw new IllegalStateException(file + " opens with a wrong passphrase");
            }
            System.out.println(get(arguments[0], trusted, open(file, arguments[i + 1].toCharArray())));
        }
    }

    private static boolean opens(String file, String passphrase) {
        try {
            open(file, passphrase.toCharArray());
            return true;
        } catch (Exception refused) {
            return false;
        }
    }

    /** The key and its chain, in a store that needs no password. */
    private static KeyStore open(String file, char[] passphrase) throws Exception {
        if (file.endsWith(".pem")) {
            return openPem(Files.readString(Path.of(file)), passphrase);
        }
        KeyStore packed = KeyStore.getInstance("PKCS12");
        try (InputStream bytes = new FileInputStream(file)) {
            packed.load(bytes, passphrase);
        }
        String alias = Collections.list(packed.aliases()).get(0);
        return store((PrivateKey) packed.getKey(alias, passphrase), packed.getCertificateChain(alias));
    }

    private static KeyStore openPem(String text, char[] passphrase) throws Exception {
        int end = text.indexOf(KEY_END);
        byte[] der = Base64.getMimeDecoder().decode(text.substring(KEY_BEGIN.length(), end));
        EncryptedPrivateKeyInfo info = new EncryptedPrivateKeyInfo(der);
        // The parameters' text names the algorithm in full, which getAlgName does not.
        SecretKeyFactory factory = SecretKeyFactory.getInstance(info.getAlgParameters().toString());
        Cipher cipher = Cipher.getInstance(info.getAlgParameters().toString());
        cipher.init(Cipher.DECRYPT_MODE, factory.generateSecret(new PBEKeySpec(passphrase)), info.getAlgParameters());
        PrivateKey key = KeyFactory.getInstance("RSA").generatePrivate(info.getKeySpec(cipher));
        byte[] certificates = text.substring(end + KEY_END.length()).getBytes(StandardCharsets.US_ASCII);
        CertificateFactory reader = CertificateFactory.getInstance("X.509");
        return store(key, reader.generateCertificates(new ByteArrayInputStream(certificates)).toArray(new Certificate[0]));
    }

    private static KeyStore store(PrivateKey key, Certificate[] chain) throws Exception {
        KeyStore store = empty();
        store.setKeyEntry("key", key, new char[0], chain);
        return store;
    }

    private static KeyStore empty() throws Exception {
        KeyStore store = KeyStore.getInstance("JKS");
        store.load(null, null);
        return store;
    }

    private static String get(String url, KeyStore trusted, KeyStore own) throws Exception {
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, new char[0]);
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        HttpsURLConnection connection = (HttpsURLConnection) new URL(url).openConnection();
        connection.setSSLSocketFactory(context.getSocketFactory());
        try (InputStream page = connection.getInputStream()) {
            return new String(page.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
