/* Compiled, not run: the header stands alone, and the structs have the sizes that other languages assume. */
#include "tensoroxide.h"

#define ASSERT_SIZE(type, bytes) typedef char size_of_##type[sizeof(type) == (bytes) ? 1 : -1]

ASSERT_SIZE(DLTensor, 48);
ASSERT_SIZE(DLDataType, 4);
ASSERT_SIZE(tox_plan_request, 88);
ASSERT_SIZE(tox_plan_info_t, 72);
ASSERT_SIZE(tox_truncation, 64);
ASSERT_SIZE(tox_item, 24);
ASSERT_SIZE(tox_storage_options, 24);

int main(void) {
  return tox_abi_version() == TOX_ABI_VERSION && tox_plan_create(NULL, NULL) == TOX_NULL_POINTER ? 0 : 1;
}
