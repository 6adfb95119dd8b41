/**
 * The answer to a callback. nextCode 1 stops what was asked about, and errCode and errMsg are what
 * the sender's app is told; actionCode is for a handler that failed, and 0 here: refusing is not
 * failing. OpenIM recommends codes between 5000 and 9999.
 */
record Verdict(int errCode, String errMsg, String errDlt, int nextCode) {
  static final Verdict APPROVED = new Verdict(0, "", "", 0);

  static Verdict refused(int errCode, String errMsg, String errDlt) {
    return new Verdict(errCode, errMsg, errDlt, 1);
  }

  String toJson() {
    return "{\"actionCode\":0,\"errCode\":" + errCode + ",\"errMsg\":" + Json.quote(errMsg)
        + ",\"errDlt\":" + Json.quote(errDlt) + ",\"nextCode\":" + nextCode + "}";
  }
}
