import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * A business server for the webhooks of a Parley or OpenIM server: it decides which messages may be
 * sent and keeps a record of what happened. POST /webhook/{command}, one JSON object in, one out.
 *
 * <p>A before-callback is a question: the IM server waits for the verdict, and the sender waits with
 * it, so it is answered from memory. An after-callback is a report: it is answered once it is on the
 * disk, because the answer is what makes the IM server forget it.
 */
public final class Handler {
  private static final String ROUTE = "/webhook/";
  private static final int LARGEST_BODY = 4 << 20;

  /** What answers one command. */
  private interface Route {
    Verdict answer(Call call) throws IOException;
  }

  /** One callback: the command of the path, the parsed body, and the id of the delivery, or null. */
  record Call(String command, Map<String, Object> body, String deliveryId) {}

  private final Map<String, Route> routes = new HashMap<>();
  private final AuditLog audit;
  private final Signature signature;
  private final Conform conform; // null unless the handler is being tested

  Handler(WordFilter filter, AuditLog audit, Signature signature, Conform conform) {
    this.audit = audit;
    this.signature = signature;
    this.conform = conform;
    Route judge = call -> filter.judge(call.body());
    routes.put("callbackBeforeSendSingleMsgCommand", judge);
    routes.put("callbackBeforeSendGroupMsgCommand", judge);
  }

  /**
   * A command without a route: reports are recorded, questions are approved, also those that this
   * version does not know. One report has a misleading name: it tells of a revoked message.
   */
  private Verdict answer(Call call) throws IOException {
    Route route = routes.get(call.command());
    if (route != null) {
      return route.answer(call);
    }
    if (call.command().startsWith("callbackAfter") || call.command().equals("callbackBeforeAfterMsgCommand")) {
      audit.record(call);
    }
    return Verdict.APPROVED;
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      String command = exchange.getRequestURI().getPath().substring(ROUTE.length());
      if (conform != null && exchange.getRequestMethod().equals("GET") && command.equals("conform")) {
        reply(exchange, 200, conform.count(exchange));
        return;
      }
      if (!exchange.getRequestMethod().equals("POST")) {
        reply(exchange, 405, "callbacks are sent with POST");
        return;
      }
      byte[] raw;
      try (InputStream in = exchange.getRequestBody()) {
        raw = in.readNBytes(LARGEST_BODY + 1);
      }
      if (raw.length > LARGEST_BODY) {
        reply(exchange, 413, "the body is larger than " + LARGEST_BODY + " bytes");
        return;
      }
      if (!isSigned(exchange, raw)) {
        reply(exchange, 401, "the signature is not right");
        return;
      }
      if (conform != null) {
        conform.callBack(exchange);
      }
      Call call;
      try {
        Map<String, Object> body = Json.object(new String(raw, StandardCharsets.UTF_8));
        if (!command.equals(body.get("callbackCommand"))) {
          reply(exchange, 400, "the path says " + command + ", the body " + body.get("callbackCommand"));
          return;
        }
        call = new Call(command, body, exchange.getRequestHeaders().getFirst("webhook-id"));
      } catch (IllegalArgumentException e) {
        reply(exchange, 400, e.getMessage());
        return;
      }
      try {
        reply(exchange, 200, answer(call).toJson());
      } catch (IOException | RuntimeException e) {
        // Not 200: the IM server keeps a report and tries again later, and decides by its own
        // configuration (failedContinue) what becomes of a question.
        System.err.println(command + ": " + e);
        reply(exchange, 500, "internal error");
      }
    }
  }

  private boolean isSigned(HttpExchange exchange, byte[] raw) {
    Headers headers = exchange.getRequestHeaders();
    long now = System.currentTimeMillis() / 1000;
    return signature.isRight(
        headers.getFirst("webhook-id"), headers.getFirst("webhook-timestamp"), headers.getFirst("webhook-signature"), raw, now);
  }

  private static void reply(HttpExchange exchange, int status, String text) throws IOException {
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    String type = status == 200 ? "application/json" : "text/plain";
    exchange.getResponseHeaders().set("Content-Type", type + "; charset=utf-8");
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
  }

  public static void main(String[] args) throws IOException {
    Map<String, String> options = options(args);
    int port = Integer.parseInt(options.getOrDefault("--port", "10006"));
    Path file = Path.of(options.getOrDefault("--audit", "audit.jsonl"));
    List<String> words = Arrays.stream(options.getOrDefault("--refuse", "").split(",")).filter(w -> !w.isBlank()).toList();

    AuditLog audit = new AuditLog(file);
    Signature signature = new Signature(System.getenv().getOrDefault("WEBHOOK_SECRET", ""));
    Conform conform = options.containsKey("--conform") ? new Conform(audit) : null;
    Handler handler = new Handler(new WordFilter(words), audit, signature, conform);
    // Without it every answer waits some 40 ms: headers and body leave in two packets, and the second waits for the
    // receiver's delayed acknowledgement of the first.
    setDefault("sun.net.httpserver.nodelay", "true");
    // The IM server closes idle connections after 60 s: keep them longer.
    setDefault("sun.net.httpserver.idleInterval", "75");
    // Loopback: whoever can reach this port can write the record.
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    ExecutorService workers = Executors.newFixedThreadPool(16);
    server.setExecutor(workers);
    server.createContext(ROUTE, handler::handle);
    server.start();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server, workers, audit)));
    System.out.println("listening on http://127.0.0.1:" + server.getAddress().getPort() + "/webhook");
  }

  private static void stop(HttpServer server, ExecutorService workers, AuditLog audit) {
    server.stop(1);
    workers.shutdown();
    try {
      workers.awaitTermination(5, TimeUnit.SECONDS);
      audit.close();
    } catch (InterruptedException | IOException e) {
      System.err.println("stop: " + e);
    }
  }

  private static void setDefault(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  private static Map<String, String> options(String[] args) {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i < args.length; i++) {
      if (args[i].equals("--conform")) { // offers what `parley webhook conform` needs to look inside
        options.put(args[i], "");
      } else if (List.of("--port", "--audit", "--refuse").contains(args[i]) && i + 1 < args.length) {
        options.put(args[i], args[++i]);
      } else {
        System.err.println("usage: java Handler [--port 10006] [--audit audit.jsonl] [--refuse word,word] [--conform]");
        System.exit(2);
      }
    }
    return options;
  }
}
