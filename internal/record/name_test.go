package record

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "0", "beauty", "ml-1m", "fame-no-moe", "_x", "amazon_2018.Beauty", "A", strings.Repeat("x", 64)} {
		if err := CheckName("data set", name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", ".hidden", "-flag", "../x", "a/b", `a\b`, "a b", "a\tb", "a\x00b", "a\nb", "a:b", "a*", "a[1]", "ü", "\xff", "a\x1b[31m",
		"a|b", "a&b", "a<b", `a"b`, strings.Repeat("x", 65), strings.Repeat("ü", 40),
	} {
		err := CheckName("data set", name)
		if err == nil {
			t.Errorf("%q: no error", name)
			continue
		}
		for _, c := range err.Error() {
			if c < ' ' || c == 0xfffd {
				t.Errorf("%q: the error contains raw bytes: %q", name, err)
			}
		}
	}
	if err := CheckID(strings.Repeat("x", 200)); err != nil {
		t.Error(err)
	}
	if err := CheckID(strings.Repeat("x", 201)); err == nil {
		t.Error("an id of 201 bytes: no error")
	}
	if err := CheckID("../../etc/passwd"); err == nil || !strings.Contains(err.Error(), `run "../../etc/passwd"`) {
		t.Errorf("an id with slashes: %v", err)
	}
}
