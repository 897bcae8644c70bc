// The modelled kernel of glassbox, in a page or under Node.
//
//     const glassbox = await load(bytes);
//     const { status, events, output, disk } = glassbox.run({ command: ["sh", "-c", "echo hi"] });
//
// `bytes` is the compiled module, as an ArrayBuffer or a Uint8Array. A request has the
// fields of glassbox::play::Request. `events` is a recording, one object for each event;
// `recording` is the same as text. A request that cannot be met throws an Error with
// `hint`. `disk` given in a later request goes on where this one ended.

const EVENTS = 0, OUTPUT = 1, ERROR = 2, DISK = 3;

export async function load(bytes) {
  const { instance } = await WebAssembly.instantiate(bytes, {});
  const { memory, glassbox_input, glassbox_run, glassbox_part, glassbox_part_len } = instance.exports;

  // The memory may have moved with every call: it is looked at anew each time.
  const part = (number) => {
    const [at, length] = [glassbox_part(number), glassbox_part_len(number)];
    return new TextDecoder().decode(new Uint8Array(memory.buffer, at, length));
  };
  const objects = (text) => text.split("\n").filter(Boolean).map((line) => JSON.parse(line));

  const run = (request) => {
    const text = new TextEncoder().encode(JSON.stringify(request));
    const at = glassbox_input(text.length);
    new Uint8Array(memory.buffer, at, text.length).set(text);
    const status = glassbox_run();
    if (status < 0) {
      const { message, hint } = JSON.parse(part(ERROR));
      throw Object.assign(new Error(message), { hint });
    }
    const recording = part(EVENTS);
    return { status, recording, events: objects(recording), output: objects(part(OUTPUT)), disk: part(DISK) };
  };
  return { run };
}
