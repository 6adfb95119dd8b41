import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Verifies requests by the Standard Webhooks scheme: HMAC-SHA256 over id, timestamp and the bytes of
 * the body as they came.
 */
final class Signature {
  private static final long TOLERANCE = 5 * 60; // seconds, into the past and into the future

  private final List<SecretKeySpec> keys = new ArrayList<>();

  /** Takes secrets separated by blanks: two while one is being replaced, none to accept anybody. */
  Signature(String secrets) {
    for (String secret : secrets.split("\\s+")) {
      if (!secret.isEmpty()) {
        // The key is the decoded form.
        byte[] key = Base64.getDecoder().decode(secret.startsWith("whsec_") ? secret.substring(6) : secret);
        keys.add(new SecretKeySpec(key, "HmacSHA256"));
      }
    }
  }

  boolean isRight(String id, String timestamp, String signatures, byte[] body, long now) {
    if (keys.isEmpty()) {
      return true;
    }
    if (id == null || timestamp == null || signatures == null || !timestamp.matches("[0-9]{1,15}")) {
      return false;
    }
    if (Math.abs(now - Long.parseLong(timestamp)) > TOLERANCE) {
      return false;
    }
    boolean right = false;
    for (SecretKeySpec key : keys) {
      byte[] want = sign(key, id + "." + timestamp + ".", body).getBytes(StandardCharsets.UTF_8);
      for (String entry : signatures.split(" ")) {
        right |= MessageDigest.isEqual(want, entry.getBytes(StandardCharsets.UTF_8)); // in constant time
      }
    }
    return right;
  }

  private static String sign(SecretKeySpec key, String head, byte[] body) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(key);
      mac.update(head.getBytes(StandardCharsets.UTF_8));
      return "v1," + Base64.getEncoder().encodeToString(mac.doFinal(body));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e); // every Java has it
    }
  }
}
