package datasets_test

import (
	"fmt"
	"log"

	"famebench/datasets"
)

// The first user of Beauty, from the file to the ranking query.
func Example() {
	d, err := datasets.Open(datasets.Config{Name: "amazon-beauty"}, "")
	if err != nil {
		log.Fatal(err)
	}
	split, err := datasets.NewSplit(d, datasets.LeaveOneOut)
	if err != nil {
		log.Fatal(err)
	}
	query := split.Test[0]
	fmt.Println("trained on", split.Train[0])
	fmt.Println("after", query.History, "comes", query.Target)

	meta, err := d.Metadata()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.ItemIDs[query.Target], meta.Attributes[query.Target])

	st := d.Stats()
	fmt.Printf("%d users, %d items, %.1f interactions per user\n", st.Users, st.Items, st.AvgLength)
	// Output:
	// trained on [1 2 3]
	// after [1 2 3 4] comes 5
	// B002WLWX82 [17 18 274]
	// 22363 users, 12101 items, 8.9 interactions per user
}
