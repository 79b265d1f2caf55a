// RUN: none
// error: 'q3' is no register
disa.program @main marks [] {
  disa.class @grid grid [1, 1] nodes [0] {
    disa.thread 0 {
      disa.vadd v1, q3, v2
      disa.halt
    }
  }
}
