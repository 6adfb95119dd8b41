import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * As much JSON as callbacks need, so that the example has no dependency. Objects become maps in
 * their order, arrays lists, numbers BigDecimal (a 64-bit time stays exact). A real project takes a
 * library.
 */
final class Json {
  private static final int DEEPEST = 100;

  private final String text;
  private int at;
  private int depth;

  private Json(String text) {
    this.text = text;
  }

  /** Parses text that is one JSON object and nothing else. */
  @SuppressWarnings("unchecked")
  static Map<String, Object> object(String text) {
    Json json = new Json(text);
    json.blanks();
    if (json.peek() != '{') {
      throw json.wrong("an object");
    }
    Object value = json.value();
    json.blanks();
    if (json.at < text.length()) {
      throw json.wrong("the end");
    }
    return (Map<String, Object>) value;
  }

  private IllegalArgumentException wrong(String wanted) {
    return new IllegalArgumentException("not JSON: " + wanted + " expected at position " + at);
  }

  private char peek() {
    if (at == text.length()) {
      throw wrong("more text");
    }
    return text.charAt(at);
  }

  private void blanks() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private void expect(String word) {
    if (!text.startsWith(word, at)) {
      throw wrong("'" + word + "'");
    }
    at += word.length();
  }

  private Object value() {
    blanks();
    if (++depth > DEEPEST) {
      throw wrong("less nesting");
    }
    try {
      switch (peek()) {
        case '{':
          return members();
        case '[':
          return elements();
        case '"':
          return string();
        case 't':
          expect("true");
          return true;
        case 'f':
          expect("false");
          return false;
        case 'n':
          expect("null");
          return null;
        default:
          return number();
      }
    } finally {
      depth--;
    }
  }

  private Map<String, Object> members() {
    Map<String, Object> map = new LinkedHashMap<>();
    expect("{");
    blanks();
    if (peek() == '}') {
      at++;
      return map;
    }
    while (true) {
      blanks();
      String key = string();
      blanks();
      expect(":");
      map.put(key, value());
      blanks();
      if (peek() == '}') {
        at++;
        return map;
      }
      expect(",");
    }
  }

  private List<Object> elements() {
    List<Object> list = new ArrayList<>();
    expect("[");
    blanks();
    if (peek() == ']') {
      at++;
      return list;
    }
    while (true) {
      list.add(value());
      blanks();
      if (peek() == ']') {
        at++;
        return list;
      }
      expect(",");
    }
  }

  private String string() {
    expect("\"");
    StringBuilder out = new StringBuilder();
    while (true) {
      char c = peek();
      at++;
      if (c == '"') {
        return out.toString();
      }
      if (c < ' ') {
        throw wrong("an escaped control character");
      }
      out.append(c == '\\' ? escaped() : c);
    }
  }

  private char escaped() {
    char c = peek();
    at++;
    switch (c) {
      case '"', '\\', '/':
        return c;
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'u':
        int code = 0;
        for (int i = 0; i < 4; i++, at++) {
          int digit = Character.digit(peek(), 16);
          if (digit < 0) {
            throw wrong("a hexadecimal digit");
          }
          code = code << 4 | digit;
        }
        return (char) code;
      default:
        throw wrong("an escape");
    }
  }

  private BigDecimal number() {
    int start = at;
    while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    try {
      return new BigDecimal(text.substring(start, at));
    } catch (NumberFormatException e) {
      at = start;
      throw wrong("a value");
    }
  }

  /** The value as JSON on one line. */
  static String write(Object value) {
    StringBuilder out = new StringBuilder();
    write(out, value);
    return out.toString();
  }

  private static void write(StringBuilder out, Object value) {
    if (value instanceof Map<?, ?> map) {
      String separator = "{";
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        out.append(separator).append(quote((String) entry.getKey())).append(':');
        write(out, entry.getValue());
        separator = ",";
      }
      out.append(map.isEmpty() ? "{}" : "}");
    } else if (value instanceof List<?> list) {
      String separator = "[";
      for (Object element : list) {
        out.append(separator);
        write(out, element);
        separator = ",";
      }
      out.append(list.isEmpty() ? "[]" : "]");
    } else if (value instanceof String s) {
      out.append(quote(s));
    } else {
      out.append(value); // numbers, booleans, null
    }
  }

  static String quote(String s) {
    StringBuilder out = new StringBuilder("\"");
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ') {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }
}
