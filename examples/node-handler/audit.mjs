import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";

/**
 * Writes each event once, one JSON object a line. The ids in the file are
 * remembered, also over a restart. Everything from the look-up to the write is one
 * step of the event loop, so two deliveries of an event cannot both be new.
 */
export class Audit {
  #file;
  #end;
  #times = new Map(); // by id

  constructor(name) {
    this.#file = openSync(name, "a+"); // made if it is not there
    closeSync(this.#file);
    this.#file = openSync(name, "r+");
    const all = readFileSync(name);
    // A last line without its end was cut off by a crash, before it was answered.
    this.#end = all.lastIndexOf(10) + 1;
    ftruncateSync(this.#file, this.#end);
    for (const line of all.subarray(0, this.#end).toString("utf8").split("\n").filter(Boolean)) {
      this.#remember(JSON.parse(line).id);
    }
  }

  #remember(id) {
    this.#times.set(id, this.count(id) + 1);
  }

  count(id) {
    return this.#times.get(id) ?? 0;
  }

  /** Returns when the event is on the disk. */
  store(id, command, event) {
    if (this.#times.has(id)) return;
    const line = Buffer.from(JSON.stringify({ id, command, event }) + "\n");
    for (let written = 0; written < line.length; ) {
      written += writeSync(this.#file, line, written, line.length - written, this.#end + written);
    }
    fdatasyncSync(this.#file);
    this.#end += line.length;
    this.#remember(id);
  }

  close() {
    closeSync(this.#file);
  }
}
