package document
import ("testing";"os")
func TestOne(t *testing.T) {
	text := hostile[os.Getenv("ONE")](4<<20)
	took, held, peak, docs, errs := measure(text)
	t.Logf("%8.2fs held %6.1fx peak %6.1fx docs %d errs %d", took.Seconds(), held, peak, docs, errs)
}
