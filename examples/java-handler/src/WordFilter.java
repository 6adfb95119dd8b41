import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Refuses messages whose text holds a forbidden word, in any letter case. */
final class WordFilter {
  static final int REFUSED = 5001;

  private final List<String> words;

  WordFilter(List<String> words) {
    this.words = words.stream().map(w -> w.strip().toLowerCase(Locale.ROOT)).toList();
  }

  Verdict judge(Map<String, Object> message) {
    String text = text(message).toLowerCase(Locale.ROOT);
    for (String word : words) {
      if (text.contains(word)) {
        return Verdict.refused(REFUSED, "the message was refused", "it holds a forbidden word");
      }
    }
    return Verdict.APPROVED;
  }

  /**
   * The words a reader would see. "content" of a callback is itself JSON in a string: text and
   * markdown messages keep their text under "content", mentions, quotes and rich text under "text".
   */
  private static String text(Map<String, Object> message) {
    if (!(message.get("content") instanceof String content)) {
      return "";
    }
    Map<String, Object> element;
    try {
      element = Json.object(content);
    } catch (IllegalArgumentException e) {
      return content;
    }
    StringBuilder text = new StringBuilder();
    for (String key : List.of("content", "text")) {
      if (element.get(key) instanceof String s) {
        text.append(s).append('\n');
      }
    }
    return text.toString();
  }
}
