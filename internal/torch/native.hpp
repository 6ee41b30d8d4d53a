// What the C++ files of this package share: tensors behind the C interface, and
// exceptions turned into fb_error().
#pragma once
#include "native.h"

#include <ATen/ATen.h>

#include <string>

namespace fb {

extern thread_local std::string last_error;

inline at::Tensor &deref(void *t) { return *static_cast<at::Tensor *>(t); }

// The keys [rows] of a dropout call's rows; see fb_row_keys.
at::Tensor row_keys(uint64_t seed, const int64_t *names, int64_t rows);

// Runs body; on an exception stores its first line and returns failed.
template <typename R, typename F> R guarded(R failed, F body) {
  try {
    return body();
  } catch (const c10::Error &e) {
    last_error = e.what_without_backtrace();
  } catch (const std::exception &e) {
    last_error = e.what();
  }
  return failed;
}

} // namespace fb
