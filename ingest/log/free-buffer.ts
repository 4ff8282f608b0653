// Frees the memory of large buffers as soon as nobody needs it.
//
// V8 looks through the whole heap, for some 40 ms, whenever 64 MiB of such memory were taken, however little lives.

/** Smaller ones are left to the collector: they may stand in the pool of 64 KiB that Node.js cuts small buffers from. */
const WORTHWHILE_BYTES = 96 * 1024;

/**
 * Frees a buffer that has its memory for itself; others are left alone. It is empty afterwards: nobody may still read
 * it, nor a socket or a thread be at work on it.
 */
export function freeBuffer(buffer: Buffer): void {
  if (buffer.length === buffer.buffer.byteLength) freeMemory(buffer.buffer);
}

/** The same for the memory beneath one or many buffers. */
export function freeMemory(memory: ArrayBufferLike): void {
  if (!(memory instanceof ArrayBuffer) || memory.byteLength < WORTHWHILE_BYTES) return;
  try {
    memory.transfer(0);
  } catch {
    // Memory that Node.js lets nobody detach: its pool, whatever the size.
  }
}
