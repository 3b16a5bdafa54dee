// Counts the words of a JSON string. An action in C, for docs/guides/write-an-action.md.

#include <stdlib.h>
#include <string.h>

#include "action.h"

// What an action returns has to be on the heap: the generated code frees it once the host has taken it over.
static void give(action_string_t *out, const char *text) { action_string_dup(out, text); }

static bool refuse(action_failure_t *failure, const char *detail) {
  failure->kind.tag = AEDILE_ACTION_TYPES_FAILURE_KIND_PERMANENT;
  give(&failure->title, "the input is not a text");
  give(&failure->detail, detail);
  return false;
}

// Where the escape that begins at `at` ends, and whether it stands for white space.
static size_t escape(const uint8_t *text, size_t len, size_t at, bool *space) {
  uint8_t kind = at + 1 < len ? text[at + 1] : 0;
  *space = kind == 'n' || kind == 't' || kind == 'r';
  return at + (kind == 'u' ? 6 : 2);
}

bool exports_action_run(action_string_t *input, action_string_t *output, action_failure_t *failure) {
  if (input->len < 2 || input->ptr[0] != '"') {
    return refuse(failure, "expected a JSON string");
  }
  unsigned words = 0;
  bool inside = false;
  size_t at = 1;
  while (at < input->len - 1) {
    bool space = input->ptr[at] == ' ';
    at = input->ptr[at] == '\\' ? escape(input->ptr, input->len, at, &space) : at + 1;
    words += !space && !inside;
    inside = !space;
  }
  action_string_t line;
  action_string_set(&line, "counted");
  aedile_action_log_write(AEDILE_ACTION_LOG_LEVEL_INFO, &line);

  char digits[10];
  size_t start = sizeof digits;
  do {
    digits[--start] = (char)('0' + words % 10);
    words /= 10;
  } while (words > 0);
  output->len = sizeof digits - start;
  output->ptr = malloc(output->len);
  memcpy(output->ptr, digits + start, output->len);
  return true;
}
