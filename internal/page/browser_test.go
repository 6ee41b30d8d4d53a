package page

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"famebench/internal/aggregate"
	"famebench/internal/aggregate/aggregatetest"
	"famebench/internal/view"
)

// browser finds a Chromium, under the names that .ci/run looks for.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const text = "no Chromium on the PATH; Debian has it as the package chromium"
	if os.Getenv("REQUIRE_ALL") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

// visit opens the page of suites in a browser of its own. What the page should
// not do (fail, complain, ask the network) fails the test.
func visit(t *testing.T, suites []*aggregate.Suite) (ctx context.Context) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index.html")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(f, suites, ""); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser(t)),
		chromedp.NoSandbox, // CI is root in a container
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1400, 1000))
	limited, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	allocator, cancel := chromedp.NewExecAllocator(limited, options...)
	t.Cleanup(cancel)
	ctx, _ = chromedp.NewContext(allocator)

	var mu sync.Mutex
	var bad []string
	complain := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	err = chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			complain("exception: %+v", e.ExceptionDetails)
		case *runtime.EventConsoleAPICalled:
			complain("console: %s", e.Type)
		case *log.EventEntryAdded:
			complain("log: %s %s", e.Entry.Text, e.Entry.URL)
		case *network.EventRequestWillBeSent:
			if e.Request.URL != "file://"+path {
				complain("request: %s", e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // waits for the browser to end
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, text := range bad {
			t.Error(text)
		}
	})
	act(t, ctx, call(runtime.Enable, cdp.Empty{}), call(network.Enable, network.EnableParams{}), call(log.Enable, cdp.Empty{}), chromedp.Navigate("file://"+path))
	return ctx
}

type action = chromedp.Action[chromedp.Void]

func act(t *testing.T, ctx context.Context, actions ...action) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// call is an action that sends a command of the protocol.
func call[P, R any](c cdp.Command[P, R], params P) action {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

func click(selector string) action { return chromedp.Click(chromedp.CSS(selector)) }

// ask evaluates JavaScript.
func ask[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("%v in %s", err, script)
	}
	return v
}

// reader uses a page as a reader does: it sorts, and opens cells with mouse and keyboard.
type reader struct {
	t    *testing.T
	ctx  context.Context
	rows []aggregate.Row // of the first table
}

const (
	firstTable  = `table[data-place="0.0"][data-rule="removed"]`
	firstHeader = firstTable + ` th[data-key="NDCG@10"]`
)

// TestBrowserPage sorts a table, opens numbers, and looks at the page in the dark and on a
// telephone.
func TestBrowserPage(t *testing.T) {
	suites := aggregatetest.Suites()
	r := reader{t, visit(t, suites), suites[0].Tables[0].Rows}
	r.sorts()
	r.opens()
	r.looks()
}

// The panel shows a run's numbers as the table averages them: over users here, and over test cases
// in the suite before.
func TestBrowserRunsByUser(t *testing.T) {
	suites := append(aggregatetest.Suites()[:1], aggregatetest.Suites()[0])
	byUser := &suites[1].Tables[0]
	byUser.Average = aggregate.ByUser
	for i := range byUser.Rows {
		for j := range byUser.Rows[i].Runs {
			run := &byUser.Rows[i].Runs[j]
			run.Removed = map[string]float64{"NDCG@10": run.Removed["NDCG@10"] / 2}
		}
	}
	ctx := visit(t, suites)
	for i, s := range suites {
		table := fmt.Sprintf(`table[data-place="%d.0"][data-rule="removed"]`, i)
		column := ask[int](t, ctx, `document.querySelector('`+table+` th[data-key="NDCG@10"]').cellIndex`) + 1
		act(t, ctx, click(fmt.Sprintf(`%s tr[data-row="6"] td:nth-child(%d)`, table, column)))
		got := ask[string](t, ctx, `[...document.querySelectorAll("#panel [data-run]")].map(tr => tr.cells[1].textContent).join(" ")`)
		var want []string
		for _, run := range s.Tables[0].Rows[6].Runs {
			want = append(want, decimals6(run.Removed["NDCG@10"]))
		}
		if got != strings.Join(want, " ") || len(want) < 2 {
			t.Errorf("suite %d: the panel shows %s, expected %s", i, got, want)
		}
		act(t, ctx, chromedp.KeyEvent(kb.Escape))
	}
}

// The panel of a row of imported lists shows the lists, and no runs.
func TestBrowserImported(t *testing.T) {
	suites := aggregatetest.Suites()[:1]
	row := &suites[0].Tables[0].Rows[6]
	row.Runs = nil
	row.Imported = []aggregate.ImportedList{{ID: "beauty-other-kept-s3-5a", File: "lists <b>.run", SHA256: strings.Repeat("5a", 32), Rule: "kept", Seed: 3, Length: 20}}
	ctx := visit(t, suites)
	const table = `table[data-place="0.0"][data-rule="removed"]`
	column := ask[int](t, ctx, `document.querySelector('`+table+` th[data-key="NDCG@10"]').cellIndex`) + 1
	act(t, ctx, click(fmt.Sprintf(`%s tr[data-row="6"] td:nth-child(%d)`, table, column)))
	got := ask[string](t, ctx, `document.querySelector("#panel").innerText`)
	for _, want := range []string{" from imported lists", "beauty-other-kept-s3-5a: up to 20 items, seen items kept, seed 3, from lists <b>.run", row.Imported[0].SHA256} {
		if !strings.Contains(got, want) {
			t.Errorf("the panel lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "one run") || strings.Contains(got, "Repeat") || ask[int](t, ctx, `document.querySelectorAll("#panel [data-run], #panel table").length`) > 0 {
		t.Errorf("the panel shows runs:\n%s", got)
	}
}

// order lists the labels of the rows, sorted.
func (r reader) order(compare func(a, b aggregate.Row) int) string {
	sorted := slices.Clone(r.rows)
	if compare != nil {
		slices.SortStableFunc(sorted, compare)
	}
	var out []string
	for _, r := range sorted {
		out = append(out, r.Label)
	}
	return strings.Join(out, " ")
}

func (r reader) sorts() {
	rising := func(a, b aggregate.Row) int {
		return cmp.Compare(a.Removed.Metrics["NDCG@10"].Mean, b.Removed.Metrics["NDCG@10"].Mean)
	}
	for _, step := range []struct{ what, aria, want string }{
		{"at first", "", r.order(nil)},
		{"first click", "descending", r.order(func(a, b aggregate.Row) int { return rising(b, a) })},
		{"second click", "ascending", r.order(rising)},
		{"third click", "", r.order(nil)},
	} {
		if step.what != "at first" {
			act(r.t, r.ctx, click(firstHeader+" button"))
		}
		got := ask[string](r.t, r.ctx, `[...document.querySelectorAll('`+firstTable+` tbody th')].map(th => th.firstChild.textContent.trim()).join(" ")`)
		if got != step.want {
			r.t.Errorf("sorting, %s: got %s, want %s", step.what, got, step.want)
		}
		if got := ask[string](r.t, r.ctx, `document.querySelector('`+firstHeader+`').getAttribute("aria-sort") ?? ""`); got != step.aria {
			r.t.Errorf("sorting, %s: aria-sort %q, want %q", step.what, got, step.aria)
		}
	}
}

// check expects an open panel with the runs of a row and some texts, and closes it.
func (r reader) check(what string, row aggregate.Row, texts ...string) {
	r.t.Helper()
	const open = `document.getElementById("panel").open`
	if !ask[bool](r.t, r.ctx, open) {
		r.t.Fatalf("%s: the panel is not open", what)
	}
	ids := ask[string](r.t, r.ctx, `[...document.querySelectorAll("#panel [data-run]")].map(tr => tr.dataset.run).join(" ")`)
	text := ask[string](r.t, r.ctx, `document.getElementById("panel").textContent`)
	var want []string
	for _, run := range row.Runs {
		want = append(want, run.ID)
		texts = append(texts, "go run ./bench -verify "+run.ID, run.SHA256)
	}
	if ids != strings.Join(want, " ") {
		r.t.Errorf("%s: runs %s, want %s", what, ids, want)
	}
	for _, s := range texts {
		if !strings.Contains(text, s) {
			r.t.Errorf("%s: the panel lacks %q:\n%s", what, s, text)
		}
	}
	link := ask[string](r.t, r.ctx, `document.querySelector("#panel a").getAttribute("href")`)
	if want := "runs/" + row.Runs[0].ID + ".json"; link != want {
		r.t.Errorf("%s: link to the record %s, want %s", what, link, want)
	}
	act(r.t, r.ctx, chromedp.KeyEvent(kb.Escape))
	if ask[bool](r.t, r.ctx, open) {
		r.t.Errorf("%s: Escape does not close the panel", what)
	}
}

func (r reader) opens() {
	core, fame := r.rows[4], r.rows[6]
	column := ask[int](r.t, r.ctx, `document.querySelector('`+firstHeader+`').cellIndex`) + 1
	act(r.t, r.ctx, click(fmt.Sprintf(`%s tr[data-row="4"] td:nth-child(%d)`, firstTable, column)))
	r.check("click on core's NDCG@10", core, "core on beauty: NDCG@10", "seen items removed", view.Share(core.Removed.Metrics["NDCG@10"].Mean),
		decimals6(core.Runs[0].Removed["NDCG@10"]), "adbff78d with uncommitted changes", "Intel(R) Xeon(R) Processor, cpu, 2 threads", "libtorch 2.11.0",
		"validation no longer improved; best epoch", "Test against duorec", "significant")

	// The cell keeps the focus, so the keyboard goes on from it: two rows down, one column on.
	act(r.t, r.ctx, chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.Enter))
	r.check("keys to fame's NDCG@20", fame, "fame on beauty: NDCG@20", decimals6(fame.Runs[2].Removed["NDCG@20"]), "experts = 4, heads = 4")
	if n := ask[int](r.t, r.ctx, `document.querySelectorAll('`+firstTable+` [tabindex="0"]').length`); n != 1 {
		r.t.Errorf("a table is %d stops of the Tab key, want 1", n)
	}

	// Numbers elsewhere lead to the same panel.
	act(r.t, r.ctx, click(`.claims button[data-ref]`))
	r.check("click on a claim's evidence", fame, "seen items kept")
}

func (r reader) looks() {
	background := `getComputedStyle(document.body).backgroundColor`
	light := ask[string](r.t, r.ctx, background)
	act(r.t, r.ctx, call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}))
	if dark := ask[string](r.t, r.ctx, background); light != "rgb(255, 255, 255)" || dark != "rgb(20, 23, 26)" {
		r.t.Errorf("background %s by day and %s by night", light, dark)
	}
	act(r.t, r.ctx, chromedp.EmulateViewport(400, 800))
	if w := ask[int](r.t, r.ctx, `document.documentElement.scrollWidth`); w > 400 {
		r.t.Errorf("on a screen of 400 pixels the page is %d wide: something does not scroll in its box", w)
	}
}

// decimals6 writes a run's value as the panel does.
func decimals6(v float64) string { return strings.TrimPrefix(fmt.Sprintf("%.6f", v), "0") }
