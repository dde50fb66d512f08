package spec
import ("testing";"strings";"time";"fmt")
func TestZZ(t *testing.T) {
	s := "const a = 1" + strings.Repeat("+1", 40000)
	for range 3 {
		t0:=time.Now()
		Format("f.net", []byte(s))
		fmt.Println(time.Since(t0))
	}
}
