/** Connections that may wait to be accepted. */
export const BACKLOG = 1024;
/** Socket buffers: room for a burst of some thousand queries while the loop is busy. */
export const BUFFER_BYTES = 4 * 1024 * 1024;
