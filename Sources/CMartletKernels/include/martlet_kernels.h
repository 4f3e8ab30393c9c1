// The few loops that need instructions beyond the x86-64 baseline. Each has a portable twin in Swift that a test
// compares it with, and each is called only after the matching martlet_has_... said yes.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

/// Whether the processor has SSE 4.2 (the crc32 instruction).
int martlet_has_sse42(void);

/// CRC-32C of `count` bytes at `bytes`, continuing from the checksum `seed` (0 at the start). Needs SSE 4.2.
uint32_t martlet_crc32c(uint32_t seed, const void *bytes, size_t count);

#endif
