/** What kind of frame it is: the low four bits of its first byte (RFC 6455, 5.2). */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Of a control frame: RFC 6455, 5.5. It fits into the first byte of the length. */
export const controlMaxBytes = 125;
