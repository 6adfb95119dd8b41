import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Writes each event once, one JSON object a line. An event is delivered at least once: a delivery
 * whose answer was lost comes again, so the ids in the file are remembered, also over a restart.
 */
final class AuditLog implements AutoCloseable {
  private final FileChannel file;
  private final Map<String, Integer> known = new HashMap<>(); // how often, by id

  AuditLog(Path path) throws IOException {
    long whole = Files.exists(path) ? load(path) : 0;
    file = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    // A last line without its end was cut off by a crash before it was answered for.
    file.truncate(whole);
    file.position(whole);
  }

  /** Remembers the events of the file and returns the length of its whole lines. */
  private long load(Path path) throws IOException {
    byte[] all = Files.readAllBytes(path);
    int end = all.length;
    while (end > 0 && all[end - 1] != '\n') {
      end--;
    }
    try (BufferedReader lines = new BufferedReader(new StringReader(new String(all, 0, end, StandardCharsets.UTF_8)))) {
      for (String line; (line = lines.readLine()) != null; ) {
        known.merge((String) Json.object(line).get("id"), 1, Integer::sum);
      }
    }
    return end;
  }

  /** Returns when the event is on the disk. */
  synchronized void record(Handler.Call call) throws IOException {
    String id = id(call);
    if (known.containsKey(id)) {
      return;
    }
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("id", id);
    line.put("command", call.command());
    line.put("event", call.body());
    long before = file.position();
    try {
      ByteBuffer bytes = ByteBuffer.wrap((Json.write(line) + "\n").getBytes(StandardCharsets.UTF_8));
      while (bytes.hasRemaining()) {
        file.write(bytes);
      }
      file.force(false);
    } catch (IOException e) {
      file.truncate(before); // half a line would spoil the next one
      file.position(before);
      throw e;
    }
    known.put(id, 1);
  }

  /**
   * The sender's id of the event, the same in every delivery of it. OpenIM sends none; there a
   * message is told apart by its server id, and any other event by its whole body.
   */
  private static String id(Handler.Call call) {
    if (call.deliveryId() != null) {
      return call.deliveryId();
    }
    Object message = call.body().get("serverMsgID");
    return call.command() + ":" + (message instanceof String s && !s.isEmpty() ? s : Json.write(call.body()));
  }

  /** How often an event is in the file. */
  synchronized int count(String id) {
    return known.getOrDefault(id, 0);
  }

  @Override
  public synchronized void close() throws IOException {
    file.close();
  }
}
