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
  private static final int LARGEST_BODY = 1 << 20;

  /** What answers one command. */
  private interface Route {
    Verdict answer(Call call) throws IOException;
  }

  /** One callback: the command of the path, the parsed body, and the id of the delivery, or null. */
  record Call(String command, Map<String, Object> body, String deliveryId) {}

  private final Map<String, Route> routes = new HashMap<>();
  private final AuditLog audit;

  Handler(WordFilter filter, AuditLog audit) {
    this.audit = audit;
    Route judge = call -> filter.judge(call.body());
    routes.put("callbackBeforeSendSingleMsgCommand", judge);
    routes.put("callbackBeforeSendGroupMsgCommand", judge);
  }

  /** A command without a route: reports are recorded, questions are approved. */
  private Verdict answer(Call call) throws IOException {
    Route route = routes.get(call.command());
    if (route != null) {
      return route.answer(call);
    }
    if (call.command().startsWith("callbackAfter")) {
      audit.record(call);
    }
    return Verdict.APPROVED;
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
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
      String command = exchange.getRequestURI().getPath().substring(ROUTE.length());
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
    Handler handler = new Handler(new WordFilter(words), audit);
    // Without it every answer waits some 40 ms: headers and body leave in two packets, and the second waits for the
    // receiver's delayed acknowledgement of the first.
    System.setProperty("sun.net.httpserver.nodelay", "true");
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

  private static Map<String, String> options(String[] args) {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i < args.length; i += 2) {
      if (!List.of("--port", "--audit", "--refuse").contains(args[i]) || i + 1 == args.length) {
        System.err.println("usage: java Handler [--port 10006] [--audit audit.jsonl] [--refuse word,word]");
        System.exit(2);
      }
      options.put(args[i], args[i + 1]);
    }
    return options;
  }
}
