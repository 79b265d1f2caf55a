// RUN: canonicalise
// CHECK: func.func @main
// CHECK-NEXT: %[[E:.*]] = nn.exponential %x
// CHECK-NEXT: nn.multiply %[[E]], %[[E]]
// CHECK-NEXT: func.return
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = nn.constant {value = dense<0.0> : tensor<f32>} : tensor<f32>
  %zeros = nn.broadcast_in_dim %zero {dims = [], shape = [4]} : (tensor<f32>) -> tensor<4xf32>
  %ones = nn.constant {value = dense<1.0> : tensor<4xf32>} : tensor<4xf32>
  %a = nn.add %zeros, %x : tensor<4xf32>
  %b = nn.exponential %a : tensor<4xf32>
  %c = nn.multiply %x, %ones : tensor<4xf32>
  %d = nn.exponential %c : tensor<4xf32>
  %unused = nn.sine %x : tensor<4xf32>
  %e = nn.multiply %b, %d : tensor<4xf32>
  func.return %e : tensor<4xf32>
}
