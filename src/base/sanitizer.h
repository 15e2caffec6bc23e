// SBX_SANITIZED: built with AddressSanitizer or ThreadSanitizer, which must see every object come and go; free lists are
// switched off then.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SBX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SBX_SANITIZED 1
#endif
#endif
