// RUN: decompose
// CHECK-NOT: nn.gelu
// CHECK: nn.erf
// CHECK-NOT: nn.gelu
// CHECK: loc = "node 'Gelu_1' (Gelu)"
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = nn.gelu %x {approximate = "none", loc = "node 'Gelu_1' (Gelu)"} : tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}
