// The limits of an event that are the same for every door.

export const MAX_LABEL_BYTES = 255;
export const MAX_ATTRIBUTES = 64;
export const MAX_ATTRIBUTE_NAME_BYTES = 255;
export const MAX_ATTRIBUTE_BYTES = 32_768;
