// RUN: none
disa.program @main marks [#disa.mark_of<"negate", "node 'Neg_1'">] {
  disa.class @grid grid [1, 2] nodes [4, 7] {
    disa.thread 0 {
      disa.mark 0
      disa.lil x8, -65536
      disa.call @negate
      disa.halt
    }
    disa.kernel @negate {
      disa.vli v1, 0.5
      disa.loop L0, 12
      disa.vld v0, a0, d0, -2
      disa.vneg v0, v0 (p3)
      disa.vsel v2, v0, v1, p3
      disa.end
      disa.ret
    }
  }
}
// CHECK: disa.program @main marks [#disa.mark_of<"negate", "node 'Neg_1'">]
// CHECK: disa.class @grid grid {{.*}} nodes [4, 7]
// CHECK: disa.lil x8, -65536
// CHECK-NEXT: disa.call @negate
// CHECK: disa.vli v1, 0.5
// CHECK-NEXT: disa.loop L0, 12
// CHECK-NEXT: disa.vld v0, a0, d0, -2
// CHECK-NEXT: disa.vneg v0, v0 (p3)
// CHECK-NEXT: disa.vsel v2, v0, v1, p3
// CHECK-NEXT: disa.end
