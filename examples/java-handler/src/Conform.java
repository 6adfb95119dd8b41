import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.net.URI;
import java.net.URLDecoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;

/** What lets `parley webhook conform` look inside. It is no part of a handler, and never on in production. */
final class Conform {
  private final AuditLog audit;
  private final HttpClient client = HttpClient.newHttpClient();

  Conform(AuditLog audit) {
    this.audit = audit;
  }

  /** Tells how often an event was stored. */
  String count(HttpExchange exchange) {
    String query = exchange.getRequestURI().getRawQuery();
    String id = query != null && query.startsWith("id=") ? URLDecoder.decode(query.substring(3), StandardCharsets.UTF_8) : "";
    return "{\"count\":" + audit.count(id) + "}";
  }

  /** Calls the API from inside a callback when it is told to. */
  void callBack(HttpExchange exchange) throws IOException {
    String api = exchange.getRequestHeaders().getFirst("Conform-Api");
    if (api == null) {
      return;
    }
    try {
      HttpRequest request = HttpRequest.newBuilder(URI.create(api)).POST(HttpRequest.BodyPublishers.noBody()).build();
      client.send(request, HttpResponse.BodyHandlers.discarding());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
