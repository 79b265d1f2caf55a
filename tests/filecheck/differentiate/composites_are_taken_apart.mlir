// RUN: differentiate{loss=mse}
// CHECK-NOT: nn.gelu
// CHECK: nn.erf
// CHECK: nn.exponential
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = nn.gelu %x {approximate = "none", loc = "node 'Gelu_1'"} : tensor<4xf32>
  func.return %y : tensor<4xf32>
}
