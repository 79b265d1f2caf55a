// RUN: round-stores
// CHECK: nn.name = "scale of x", nn.role = "setting"
// CHECK: nn.name = "largest of x", nn.role = "observed"
// CHECK: nn.name = "rounded to 0 of x"
// CHECK-NOT: nn.stored_as
// CHECK: nn.round_to %{{.*}} {format = "CF8_143"
// CHECK: nn.divide
func.func @main(%x: tensor<2x4xf32> {nn.name = "x"}) -> tensor<2x4xf32> {
  %y = nn.stored_as %x {tensor = "x", format = "CF8_143", backward = "none", loc = "x"} : tensor<2x4xf32>
  func.return %y : tensor<2x4xf32>
}
